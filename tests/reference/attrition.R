# Reference values for evalkit.attrition and evalkit.comparability. From the root of the repository:
#     Rscript tests/reference/attrition.R
# Reads panel.csv beside this file and ../shared/data (not committed; of it only sums and means are written);
# writes attrition.csv: what a value is about, its name, the value.
suppressPackageStartupMessages({
  library(survey)
  library(MASS)
})
here <- "tests/reference"
shared <- "../shared/data"
rows <- list()
put <- function(case, quantity, value) {
  rows[[length(rows) + 1]] <<- data.frame(case, quantity = as.character(quantity), value = sprintf("%.17g", value))
}

# Standardised differences of a number and of categories, after less before.
number_gap <- function(data, item) {
  parts <- lapply(c("before", "after"), function(wave) {
    part <- data[data$wave == wave & !is.na(data[[item]]), ]
    design <- svydesign(id = ~1, weights = ~weight, data = part)
    c(coef(svymean(reformulate(item), design)), svyvar(reformulate(item), design)[1])
  })
  (parts[[2]][1] - parts[[1]][1]) / sqrt((parts[[1]][2] + parts[[2]][2]) / 2)
}
category_gap <- function(data, item, case) {
  data <- data[!is.na(data[[item]]), ]
  share <- prop.table(xtabs(reformulate(c(item, "wave"), "weight"), data), 2)[, c("before", "after")]
  if (!missing(case)) for (wave in colnames(share)) put(case, paste(wave, rownames(share)), 100 * share[, wave])
  spread <- (diag(share[, 1]) - tcrossprod(share[, 1]) + diag(share[, 2]) - tcrossprod(share[, 2])) / 2
  gap <- share[, 2] - share[, 1]
  sqrt(drop(gap %*% ginv(spread) %*% gap)) # over all categories; the tests must not depend on which one is left out
}

panel <- read.csv(file.path(here, "panel.csv"))
arm <- ifelse(panel$unit == "A", "pilot", "comparison")
for (weighted in c(TRUE, FALSE)) for (group in c("pilot", "comparison")) for (item in c("satisfaction", "fees")) {
  part <- transform(panel, weight = if (weighted) weight else 1)[arm == group, ]
  case <- paste("panel", if (weighted) "weighted" else "unweighted", group, item)
  put(case, "number", number_gap(part, item))
  put(case, "scale", category_gap(part, item))
}

# Being seen again, from what was answered before; a missing answer is its mean with an indicator.
before <- panel[panel$wave == "before", ]
before$seen <- before$respondent %in% panel$respondent[panel$wave == "after"]
for (item in c("satisfaction", "waiting", "fees")) {
  before[[paste0(item, "_missing")]] <- is.na(before[[item]])
  before[[item]][is.na(before[[item]])] <- mean(before[[item]], na.rm = TRUE)
}
formula <- seen ~ satisfaction + satisfaction_missing + waiting + waiting_missing + fees + fees_missing
exact <- glm.control(epsilon = 1e-14, maxit = 100)
for (weighted in c(TRUE, FALSE)) {
  before$w <- if (weighted) before$weight else 1
  fit <- glm(update(formula, . ~ . + unit), quasibinomial, before, w, control = exact)
  put(paste("panel", if (weighted) "weighted" else "unweighted", "probability"), before$respondent, fitted(fit))
}

# Card & Krueger (1994): stores that stated their employment in the first wave, by whether they did in the second.
long <- read.csv(file.path(shared, "card_krueger/card-krueger.csv"))
wide <- merge(long[long$d == 0, ], long[long$d == 1, c("id", "nj", "fte")], by = c("id", "nj"))
wide <- wide[!is.na(wide$fte.x), ]
wide$seen <- !is.na(wide$fte.y)
fit <- glm(seen ~ fte.x + nj, binomial, wide, control = exact)
put("card-krueger", "probability", tapply(fitted(fit), wide$nj, sum))
wide$change <- wide$fte.y - wide$fte.x
weighted <- sapply(split(cbind(wide, p = fitted(fit)), wide$nj), function(state) {
  weighted.mean(state$change[state$seen], 1 / state$p[state$seen])
})
put("card-krueger", c("weighted change PA", "weighted change NJ"), weighted)
for (state in 0:1) {
  part <- wide[wide$nj == state, ]
  ends <- sapply(c(0, 85), function(end) mean(ifelse(part$seen, part$fte.y, end) - part$fte.x))
  put("card-krueger", paste(c("PA", "NJ")[state + 1], c("lower", "upper")), ends)
  put("card-krueger", paste(c("PA", "NJ")[state + 1], "lost less seen"),
      mean(part$fte.x[!part$seen]) - mean(part$fte.x[part$seen]))
}

# Kansas City: age and sex in two surveys of other people; 9 is no answer.
kcmo <- lapply(c(before = "FY2022_RS_Cleaned_safe_nozip", after = "kcmo_mar_2022_safe_nozip"), function(file) {
  read.csv(file.path(shared, "kcmo_resident_survey", paste0(file, ".csv")))[c("q40_w", "q41_w")]
})
kcmo <- cbind(do.call(rbind, kcmo), wave = rep(names(kcmo), sapply(kcmo, nrow)), weight = 1)
kcmo[kcmo == 9] <- NA
for (item in c("q40_w", "q41_w")) put(paste("kcmo", item), "scale", category_gap(kcmo, item, paste("kcmo", item)))

# The data that R's package attrition 1.0 simulates to show its trimming bounds (A. Coppock, estimator_trim): answers
# 1 to 5, the treated answer more often. The test holds the bounds printed there against ours.
set.seed(343)
untreated <- sample(1:5, 1000, TRUE, c(1, 3, 3, 2, 1) / 10)
treated <- sample(1:5, 1000, TRUE, c(1, 1, 4, 3, 1) / 10)
pilot <- rbinom(1000, 1, 0.5)
answered <- rbinom(1000, 1, 0.7 + 0.1 * pilot)
answer <- ifelse(answered, ifelse(pilot, treated, untreated), 0) # 0: lost
counts <- as.data.frame(table(answer, pilot))
put("estimator_trim", paste(c("comparison", "pilot")[counts$pilot], counts$answer), counts$Freq)

versions <- data.frame(case = "versions", quantity = c("R", "survey"),
                       value = c(as.character(getRversion()), as.character(packageVersion("survey"))))
write.csv(rbind(versions, do.call(rbind, rows)), file.path(here, "attrition.csv"), row.names = FALSE)
