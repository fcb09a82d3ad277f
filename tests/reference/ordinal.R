# Reference values for evalkit.ordinal, from R's packages survey, coin, ordinal, MASS and sandwich. From the root:
#     Rscript tests/reference/ordinal.R
# Reads panel.csv beside this file (written by estimation.R); writes ordinal.csv.
suppressPackageStartupMessages({
  library(survey)
  library(coin)
  library(ordinal)
  library(sandwich)
})
here <- "tests/reference"
rows <- list()
put <- function(case, item, values) {
  rows[[length(rows) + 1]] <<- data.frame(case, item, quantity = names(values), value = unname(values))
}

# Superiority and homogeneity from the shares of every category in every domain and their covariance: superiority by
# the delta method, homogeneity by Wald's test with the last category left out, adjusted as in svychisq("adjWald").
ordinal <- function(case, design, item, before, after) {
  valid <- design[!is.na(design$variables[[item]]) & design$variables$domain %in% names(c(before, after)), ]
  valid$variables$answer <- factor(valid$variables[[item]])
  shares <- svyby(~answer, ~domain, valid, svymean, covmat = TRUE)
  categories <- levels(valid$variables$answer)
  total <- function(coefficients) {
    sapply(categories, function(category) {
      row <- setNames(numeric(length(coef(shares))), names(coef(shares)))
      row[paste0(names(coefficients), ":answer", category)] <- coefficients
      row
    })
  }
  B <- total(before)
  A <- total(after)
  p <- drop(coef(shares) %*% B)
  q <- drop(coef(shares) %*% A)
  lower <- outer(seq_along(p), seq_along(p), function(i, j) (j < i) + 0.5 * (i == j))
  gradient <- A %*% lower %*% p + B %*% t(lower) %*% q
  df <- degf(valid)
  variance <- drop(t(gradient) %*% vcov(shares) %*% gradient)
  put(case, item, c(superiority = drop(q %*% lower %*% p), std_error = sqrt(variance), df = df))
  D <- (A - B)[, -length(categories)]
  d <- drop(coef(shares) %*% D)
  f <- df - length(d) + 1
  statistic <- drop(d %*% solve(t(D) %*% vcov(shares) %*% D, d)) * f / (df * length(d))
  p_value <- pf(statistic, length(d), f, lower.tail = FALSE)
  put(case, item, c(statistic = statistic, df1 = length(d), df2 = f, p_value = p_value))
}

panel <- read.csv(file.path(here, "panel.csv"))
panel$domain <- paste(panel$unit, panel$wave, sep = "|")
pooled <- transform(panel, domain = wave)
designs <- list(
  villages = svydesign(id = ~village, strata = ~unit, weights = ~weight, data = panel),
  respondents = svydesign(id = ~respondent, strata = ~unit, weights = ~weight, data = panel),
  unweighted = svydesign(id = ~village, weights = ~1, data = panel),
  rows = svydesign(id = ~1, weights = ~1, data = panel)
)
for (name in names(designs)) {
  for (item in c("satisfaction", "waiting", "fees")) {
    units <- lapply(c(before = "before", after = "after"), function(wave) paste(c("A", "B", "C"), wave, sep = "|"))
    for (unit in 1:3) {
      one <- lapply(units, function(labels) setNames(1, labels[unit]))
      ordinal(paste(name, c("A", "B", "C")[unit], sep = ": "), designs[[name]], item, one$before, one$after)
    }
    all <- lapply(units, function(labels) setNames(c(0.5, 0.3, 0.2), labels))
    ordinal(paste(name, "mixture", sep = ": "), designs[[name]], item, all$before, all$after)
  }
}
villages <- svydesign(id = ~village, strata = ~unit, weights = ~weight, data = pooled)
for (item in c("satisfaction", "waiting", "fees")) {
  ordinal("pooled: waves", villages, item, c(before = 1), c(after = 1))
}

# Unaided vision of 7,477 women, right eye by left (Stuart 1953, Biometrika 40), and the approval of a prime minister
# asked twice (Agresti 2002, Categorical Data Analysis, 10.1): paired tables.
bhapkar <- function(counts) {
  p <- counts / sum(counts)
  d <- (rowSums(p) - colSums(p))[-1]
  V <- (diag(rowSums(p) + colSums(p)) - p - t(p))[-1, -1] - outer(d, d)
  sum(counts) * drop(d %*% solve(V, d))
}
mh <- mh_test(vision)
put("vision", "", c(statistic = as.numeric(statistic(mh)), df = 3, p_value = as.numeric(pvalue(mh)),
                    bhapkar = bhapkar(vision)))
put("vision", "count", setNames(as.vector(t(vision)), paste(rep(1:4, each = 4), 1:4)))
approval <- matrix(c(794, 86, 150, 570), 2)
test <- mcnemar.test(approval, correct = FALSE)
put("approval", "", c(statistic = test$statistic[[1]], df = 1, p_value = test$p.value,
                      exact_p = binom.test(86, 236)$p.value, bhapkar = bhapkar(approval)))

# Cumulative logit: Newton's method of clm; clusters by vcovCL, which multiplies by G/(G - 1).
fitted <- function(case, model, cluster = NULL) {
  V <- if (is.null(cluster)) vcov(model) else vcovCL(model, cluster = cluster)
  for (name in names(model$beta)) {
    put(case, name, c(estimate = model$beta[[name]], std_error = sqrt(V[name, name])))
  }
  put(case, "", c(log_likelihood = as.numeric(logLik(model))))
}
tight <- clm.control(gradTol = 1e-10)
fitted("wine", clm(rating ~ temp + contact, data = wine, control = tight))
fitted("wine: judges", clm(rating ~ temp + contact, data = wine, control = tight), wine$judge)
for (item in c("satisfaction", "waiting", "fees")) {
  valid <- panel[!is.na(panel[[item]]), ]
  valid$answer <- factor(valid[[item]])
  valid$after <- as.numeric(valid$wave == "after")
  model <- clm(answer ~ after, data = valid, control = tight)
  fitted(paste("panel", item, sep = ": "), model)
  fitted(paste("panel villages", item, sep = ": "), model, valid$village)
}
# Satisfaction of 1,681 tenants in Copenhagen (Madsen 1976, Scandinavian Journal of Statistics 3).
housing <- MASS::housing
fitted("housing", clm(Sat ~ Infl + Type + Cont, weights = Freq, data = housing, control = tight))
put("housing", "count", setNames(as.numeric(housing$Freq), do.call(paste, housing[1:4])))
# polr stops earlier; it must agree as far as it goes.
early <- MASS::polr(Sat ~ Infl + Type + Cont, weights = Freq, data = housing)
stopifnot(abs(coef(early)[["InflHigh"]] - 1.2888190638) < 1e-9, abs(deviance(early) - 3479.149299) < 1e-6)

versions <- data.frame(
  case = "versions", item = "", quantity = c("R", "survey", "coin", "ordinal", "MASS", "sandwich"),
  value = c(as.character(getRversion()), sapply(c("survey", "coin", "ordinal", "MASS", "sandwich"),
                                                function(name) as.character(packageVersion(name))))
)
found <- do.call(rbind, rows)
found$value <- sprintf("%.17g", found$value)
write.csv(rbind(versions, found), file.path(here, "ordinal.csv"), row.names = FALSE)
