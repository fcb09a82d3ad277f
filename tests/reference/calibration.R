# Reference values for evalkit.calibration, from R's survey package. From the root of the repository:
#     Rscript tests/reference/calibration.R
# Reads panel.csv and ../shared/data/packages (not committed: GPL); writes calibration.csv beside this file.
# The columns are those of estimation.csv; item "weights": design_effect, and the calibrated total of each cell.
suppressPackageStartupMessages(library(survey))
here <- "tests/reference"
packages <- "../shared/data/packages"

rows <- list()
put <- function(case, item, quantity, value) {
  rows[[length(rows) + 1]] <<- data.frame(case, item, quantity, value)
}

# Means and contrasts of them, as ratios of totals by the delta method: svyby(covmat = TRUE) cannot do it for
# calibrated designs. A row without an answer keeps its place in the margins and counts nothing in the totals.
by_domain <- function(case, design, item, by, contrasts = list()) {
  y <- design$variables[[item]]
  domain <- as.character(design$variables[[by]])
  labels <- sort(unique(domain))
  columns <- lapply(labels, function(label) {
    valid <- domain == label & !is.na(y)
    cbind(ifelse(valid, y, 0), as.numeric(valid))
  })
  columns <- do.call(cbind, columns)
  colnames(columns) <- paste0(c("y", "n"), rep(seq_along(labels), each = 2))
  totals <- svytotal(columns, design)
  levels <- setNames(lapply(labels, function(label) setNames(1, label)), labels)
  for (name in names(c(levels, contrasts))) {
    chosen <- c(levels, contrasts)[[name]]
    at <- match(names(chosen), labels)
    term <- paste(paste0(chosen, " * y", at, " / n", at), collapse = " + ")
    found <- svycontrast(totals, list(parse(text = term)[[1]]))
    put(case, item, paste0(name, ": ", c("estimate", "std_error", "df")),
        c(coef(found)[[1]], SE(found)[[1]], degf(design[!is.na(y) & domain %in% names(chosen), ])))
  }
}

# Kish's 1 + cv^2, and totals of the cells.
weights_of <- function(case, design, cell) {
  w <- weights(design)
  put(case, "weights", "design_effect", length(w) * sum(w^2) / sum(w)^2)
  totals <- tapply(w, cell, sum)
  totals <- totals[!is.na(totals)]
  put(case, "weights", paste0(names(totals), ": total"), totals)
}

difference <- function(first, second) {
  setNames(list(setNames(c(1, -1), c(first, second))), paste(first, "-", second))
}

# Schools and their two margins. rake() with its default epsilon stops at 641.230247 (23.942035), calibrate() and
# rake() at 1e-10 agree on 641.230321 (23.942010).
clus1 <- read.csv(file.path(packages, "survey_apiclus1.csv"))
clus1$state <- "California"
types <- data.frame(stype = c("E", "H", "M"), Freq = c(4421, 755, 1018))
targets <- data.frame(sch.wide = c("No", "Yes"), Freq = c(1072, 5122))
designs <- list("apiclus1" = svydesign(id = ~dnum, weights = ~pw, data = clus1),
                "apiclus1 fpc" = svydesign(id = ~dnum, weights = ~pw, fpc = ~fpc, data = clus1))
for (name in names(designs)) {
  design <- designs[[name]]
  raked <- calibrate(design, list(~stype, ~sch.wide), list(types, targets), calfun = "raking", epsilon = 1e-13,
                     maxit = 100)
  iterated <- rake(design, list(~stype, ~sch.wide), list(types, targets),
                   control = list(epsilon = 1e-10, maxit = 200))
  for (found in list(svymean(~api00, iterated), svymean(~meals, iterated))) {
    again <- svymean(reformulate(names(coef(found))), raked)
    stopifnot(all.equal(c(coef(found), SE(found)), c(coef(again), SE(again)), tolerance = 1e-10, check.names = FALSE))
  }
  post <- postStratify(design, ~stype, types)
  for (case in paste(name, c("raked", "poststratified"))) {
    chosen <- if (endsWith(case, "raked")) raked else post
    weights_of(case, chosen, paste(clus1$stype, clus1$sch.wide))
    by_domain(case, chosen, "api00", "state")
    stopifnot(all.equal(tail(rows, 1)[[1]]$value[2], SE(svymean(~api00, chosen))[[1]]))
    for (item in c("api00", "meals")) by_domain(paste(case, "stype"), chosen, item, "stype", difference("E", "H"))
    for (item in c("api00", "acs.k3")) { # the last with missing values
      by_domain(paste(case, "comp.imp"), chosen, item, "comp.imp", difference("Yes", "No"))
    }
  }
}

# Both waves of the panel to two made-up margins each. The weights differ before raking: here rake()'s variance
# is another one, its residuals are from unweighted means; calibrate()'s are from means by the weights before.
panel <- read.csv(file.path(here, "panel.csv"))
number <- as.integer(substring(panel$respondent, 2))
panel$domain <- paste(panel$unit, panel$wave, sep = "|")
panel$sex <- paste(panel$wave, ifelse(number %% 2 == 1, "f", "m"))
panel$age <- paste(panel$wave, c("old", "young", "middle")[1 + number %% 3])
sexes <- data.frame(sex = c("before f", "before m", "after f", "after m"), Freq = c(510, 490, 540, 460))
ages <- data.frame(age = c(outer(c("young", "middle", "old"), c("before", "after"), function(a, w) paste(w, a))),
                   Freq = c(300, 320, 380, 280, 330, 390))
villages <- svydesign(id = ~village, strata = ~unit, weights = ~weight, data = panel)
respondents <- svydesign(id = ~respondent, strata = ~unit, weights = ~weight, data = panel)
change <- function(unit) difference(paste0(unit, "|after"), paste0(unit, "|before"))
changes <- c(change("A"), change("B"), change("C"))
changes$did <- c("A|after" = 1, "A|before" = -1,
                 "B|after" = -0.5, "B|before" = 0.5, "C|after" = -0.5, "C|before" = 0.5)
for (name in c("villages", "respondents")) {
  design <- get(name)
  raked <- calibrate(design, list(~sex, ~age), list(sexes, ages), calfun = "raking", epsilon = 1e-13, maxit = 100)
  weights_of(paste("panel", name, "raked"), raked, paste(panel$sex, panel$age))
  post <- postStratify(design, ~sex, sexes)
  weights_of(paste("panel", name, "poststratified"), post, panel$sex)
  for (item in c("satisfaction", "waiting", "fees")) {
    by_domain(paste("panel", name, "raked"), raked, item, "domain", changes)
    by_domain(paste("panel", name, "poststratified"), post, item, "domain", changes)
    by_domain(paste("panel", name, "raked pooled"), raked, item, "wave", difference("after", "before"))
  }
}

# The after-wave raked to the totals of the before-wave, which are estimates: their variance counts. No function of
# survey does this. The influence of a row of the after-wave is its residual from the margins, of a row of the
# before-wave what the margins owe to it; the numerical derivative of the whole estimator is the same. Here the
# residuals are from means by the raked weights; by the weights before, standard errors differ by less than 0.1 %.
panel$sex <- sub(".* ", "", panel$sex)
panel$age <- sub(".* ", "", panel$age)
after <- panel$wave == "after"
d <- panel$weight
margins <- list("to before" = c("sex", "age"), "to before, one margin" = "sex")
rake_to_before <- function(d, margin) {
  w <- d
  for (round in 1:(if (length(margin) > 1) 50 else 1)) for (name in margin) {
    factors <- tapply(d[!after], panel[[name]][!after], sum) / tapply(w[after], panel[[name]][after], sum)
    w[after] <- w[after] * factors[panel[[name]][after]]
  }
  w
}
difference_of <- function(y, one, two, margin) function(d) {
  weighted.mean(y[one], rake_to_before(d, margin)[one]) - weighted.mean(y[two], d[two])
}
for (case in names(margins)) for (item in c("satisfaction", "waiting", "fees")) for (unit in c("A", "B", "C", "")) {
  margin <- margins[[case]]
  x <- model.matrix(reformulate(margin), panel)
  w <- rake_to_before(d, margin)
  y <- panel[[item]]
  valid <- !is.na(y) & (panel$unit == unit | unit == "")
  one <- valid & after
  two <- valid & !after
  change_of <- difference_of(y, one, two, margin)
  deviation <- ifelse(one, y - weighted.mean(y[one], w[one]), 0) / sum(w[one])
  fitted <- drop(x %*% solve(crossprod(x[after, ] * w[after], x[after, ]),
                             crossprod(x[after, ] * w[after], deviation[after])))
  level <- ifelse(two, y - weighted.mean(y[two], d[two]), 0) / sum(d[two])
  influence <- ifelse(after, w / d * (deviation - fitted), fitted - level)
  if (item == "waiting" && unit == "C") {
    derivative <- sapply(seq_along(d), function(i) {
      step <- replace(0 * d, i, 1e-4 * d[i])
      (change_of(d + step) - change_of(d - step)) / 2e-4 / d[i]
    })
    stopifnot(all.equal(influence, derivative, tolerance = 1e-6, check.attributes = FALSE))
  }
  for (name in c("villages", "respondents")) {
    design <- get(name)
    std_error <- SE(svytotal(influence, design))[[1]]
    if (item == "waiting" && unit == "") { # the jackknife is another estimator: close, not equal
      jackknife <- withReplicates(as.svrepdesign(design, type = "JKn"), function(w, data) change_of(pmax(w, 1e-9)))
      stopifnot(abs(SE(jackknife) / std_error - 1) < 0.03)
    }
    quantity <- if (unit == "") "after - before" else paste0(unit, "|after - ", unit, "|before")
    put(paste("panel", name, case, if (unit == "") "pooled" else "units"), item,
        paste0(quantity, ": ", c("estimate", "std_error")), c(change_of(d), std_error))
  }
}

versions <- data.frame(case = "versions", item = "", quantity = c("R", "survey"),
                       value = c(as.character(getRversion()), as.character(packageVersion("survey"))))
found <- do.call(rbind, rows)
found$value <- sprintf("%.17g", found$value)
write.csv(rbind(versions, found), file.path(here, "calibration.csv"), row.names = FALSE)
