# Reference values for evalkit.estimation, from R's survey package. From the root of the repository:
#     Rscript tests/reference/estimation.R
# Reads ../shared/data/packages (not committed: GPL); writes panel.csv and estimation.csv beside this file.
# A case is a design with a set of domains; `quantity` is "<contrast>: estimate", "std_error" or "df".
suppressPackageStartupMessages(library(survey))
here <- "tests/reference"
packages <- "../shared/data/packages"

# Two waves in three units. Villages lie in units, some are seen in one wave only; some respondents are seen twice.
set.seed(20240617)
village <- data.frame(village = sprintf("v%02d", 1:20), unit = rep(c("A", "B", "C"), c(8, 7, 5)))
village$effect <- rnorm(20, 0, 0.5)
person <- village[sample(20, 270, replace = TRUE), ]
person$respondent <- sprintf("r%03d", seq_len(nrow(person)))
person$taste <- rnorm(nrow(person), 0, 0.6)
person$weight <- round(rgamma(nrow(person), 4, 4) + 0.1, 3)
waves <- lapply(c(before = 0, after = 1), function(after) {
  seen <- if (after) c(101:270) else c(1:100, 161:270)
  wave <- person[seen, ]
  wave <- wave[!(wave$village %in% if (after) c("v03", "v20") else "v11"), ]
  for (item in c("satisfaction", "waiting", "fees")) {
    latent <- 3.2 + 0.3 * after * (wave$unit == "A") + wave$effect + wave$taste + rnorm(nrow(wave), 0, 0.8)
    wave[[item]] <- pmin(pmax(round(latent), 1), 5)
    wave[[item]][runif(nrow(wave)) < c(satisfaction = 0.02, waiting = 0.15, fees = 0.4)[item]] <- NA
  }
  wave$fees[wave$village == "v05"] <- NA # a village that never answers one item
  cbind(wave = if (after) "after" else "before", wave)
})
panel <- do.call(rbind, waves)
panel <- panel[order(panel$respondent, panel$wave),
               c("wave", "unit", "village", "respondent", "weight", "satisfaction", "waiting", "fees")]
write.csv(panel, file.path(here, "panel.csv"), row.names = FALSE, na = "")
panel <- read.csv(file.path(here, "panel.csv"))

rows <- list()
put <- function(case, item, contrast, estimate, std_error, df) {
  quantity <- paste0(contrast, ": ", c("estimate", "std_error", "df"))
  rows[[length(rows) + 1]] <<- data.frame(case, item, quantity, value = c(estimate, std_error, df))
}

# Each item by itself: svyby(covmat = TRUE, na.rm = TRUE) breaks on missing values in survey 4.1, and
# svymean(~a + b, na.rm = TRUE) is listwise. Contrasts are named vectors of coefficients.
# An item "a/b" is the ratio of both sums.
by_domain <- function(case, design, item, by, contrasts = list()) {
  parts <- strsplit(item, "/")[[1]]
  valid <- design[complete.cases(design$variables[parts]), ]
  valid$variables$domain <- as.character(valid$variables[[by]])
  means <- if (length(parts) == 1) {
    svyby(reformulate(item), ~domain, valid, svymean, covmat = TRUE)
  } else {
    svyby(reformulate(parts[1]), ~domain, denominator = reformulate(parts[2]), valid, svyratio, covmat = TRUE)
  }
  for (label in names(coef(means))) {
    put(case, item, label, coef(means)[[label]], SE(means)[[which(names(coef(means)) == label)]],
        degf(subset(valid, domain == label)))
  }
  for (name in names(contrasts)) {
    found <- svycontrast(means, contrasts[name])
    labels <- names(contrasts[[name]])
    put(case, item, name, coef(found)[[1]], SE(found)[[1]], degf(subset(valid, domain %in% labels)))
  }
}

# The covariance of two items in one contrast: sums of both as columns, each over its own valid rows, and the
# contrast of their ratios by the delta method.
covariance <- function(case, design, items, by, contrast) {
  domain <- as.character(design$variables[[by]])
  sums <- expand.grid(label = names(contrast[[1]]), item = items, stringsAsFactors = FALSE)
  columns <- lapply(seq_len(nrow(sums)), function(i) {
    y <- design$variables[[sums$item[i]]]
    valid <- domain == sums$label[i] & !is.na(y)
    cbind(ifelse(valid, y, 0), as.numeric(valid))
  })
  columns <- do.call(cbind, columns)
  colnames(columns) <- paste0(c("y", "n"), rep(seq_len(nrow(sums)), each = 2))
  terms <- paste0(contrast[[1]], " * y", seq_len(nrow(sums)), " / n", seq_len(nrow(sums)))
  wanted <- tapply(terms, factor(sums$item, items), function(term) parse(text = paste(term, collapse = " + "))[[1]])
  found <- vcov(svycontrast(svytotal(columns, design), as.list(wanted)))
  for (i in 1:2) {
    rows[[length(rows) + 1]] <<- data.frame(case, item = items[i], value = found[1, 2],
                                            quantity = paste0(names(contrast), ": covariance with ", items[3 - i]))
  }
}

difference <- function(first, second) {
  setNames(list(setNames(c(1, -1), c(first, second))), paste(first, "-", second))
}

# Schools of 15 sampled districts; some districts have no high or middle school.
clus1 <- read.csv(file.path(packages, "survey_apiclus1.csv"))
dclus1 <- svydesign(id = ~dnum, weights = ~pw, data = clus1)
by_domain("apiclus1", dclus1, "api00", "stype", difference("E", "H"))
by_domain("apiclus1", dclus1, "meals", "stype", difference("E", "H"))
by_domain("apiclus1", dclus1, "acs.k3", "stype") # missing in most high schools
long <- rbind(data.frame(clus1[c("dnum", "pw")], year = "api00", api = clus1$api00),
              data.frame(clus1[c("dnum", "pw")], year = "api99", api = clus1$api99))
by_domain("apiclus1 years", svydesign(id = ~dnum, weights = ~pw, data = long), "api", "year",
          difference("api00", "api99"))
# The same change from one svymean of both columns: the long form above must not differ.
wide <- svycontrast(svymean(~api00 + api99, dclus1), list(change = c(api00 = 1, api99 = -1)))
stopifnot(all.equal(c(coef(wide), SE(wide)), c(rows[[length(rows)]]$value[1:2]), check.attributes = FALSE))

covariance("apiclus1", dclus1, c("api00", "meals"), "stype", difference("E", "H"))
both <- svymean(~api00 + meals, subset(dclus1, stype == "E")) # the same again, where no answer is missing
covariance("apiclus1", dclus1, c("api00", "meals"), "stype", list(E = c(E = 1)))
stopifnot(all.equal(vcov(both)[1, 2], rows[[length(rows)]]$value))

# 15 of 757 districts, and strata of known size: published by the package as 37.191257 (3.0852) and 595.28 (18.509).
dclus1_fpc <- svydesign(id = ~dnum, weights = ~pw, fpc = ~fpc, data = clus1)
by_domain("apiclus1 fpc", dclus1_fpc, "api00", "stype", difference("E", "H"))
by_domain("apiclus1 years fpc", svydesign(id = ~dnum, weights = ~pw, fpc = rep(clus1$fpc, 2), data = long), "api",
          "year", difference("api00", "api99"))
by_domain("apiclus1 ratio", dclus1, "api.stu/enroll", "stype", difference("E", "H"))
by_domain("apiclus1 ratio fpc", dclus1_fpc, "api.stu/enroll", "stype", difference("E", "H"))

# The first stage alone, of a two-stage sample.
clus2 <- read.csv(file.path(packages, "survey_apiclus2.csv"))
dclus2 <- svydesign(id = ~dnum, weights = ~pw, data = clus2)
by_domain("apiclus2", dclus2, "api00", "stype", difference("E", "M"))
by_domain("apiclus2", dclus2, "enroll", "stype") # with missing values

# Strata of schools; the domains cross the strata.
strat <- read.csv(file.path(packages, "survey_apistrat.csv"))
dstrat <- svydesign(id = ~1, strata = ~stype, weights = ~pw, data = strat)
for (item in c("api00", "enroll", "acs.46")) {
  by_domain("apistrat", dstrat, item, "comp.imp", difference("Yes", "No"))
}
by_domain("apistrat stype", dstrat, "api00", "stype", difference("E", "H"))

dstrat_fpc <- svydesign(id = ~1, strata = ~stype, weights = ~pw, fpc = ~fpc, data = strat)
by_domain("apistrat fpc", dstrat_fpc, "enroll", "comp.imp", difference("Yes", "No"))
by_domain("apistrat stype fpc", dstrat_fpc, "enroll", "stype", difference("E", "H"))
dstrat_fpc$variables$state <- "California"
by_domain("apistrat state fpc", dstrat_fpc, "enroll", "state")

# Clusters in strata, weights that differ widely, 745 missing values.
nhanes <- read.csv(file.path(packages, "survey_nhanes.csv"))
dnhanes <- svydesign(id = ~SDMVPSU, strata = ~SDMVSTRA, weights = ~WTMEC2YR, nest = TRUE, data = nhanes)
by_domain("nhanes", dnhanes, "HI_CHOL", "agecat", difference("(39,59]", "(19,39]"))
by_domain("nhanes race", dnhanes, "HI_CHOL", "race", difference("1", "2"))

# A change in each unit, and the difference of A's change and the mean change of B and C.
panel$domain <- paste(panel$unit, panel$wave, sep = "|")
change <- function(unit) difference(paste0(unit, "|after"), paste0(unit, "|before"))
changes <- c(change("A"), change("B"), change("C"))
changes$did <- c("A|after" = 1, "A|before" = -1,
                 "B|after" = -0.5, "B|before" = 0.5, "C|after" = -0.5, "C|before" = 0.5)
villages <- svydesign(id = ~village, strata = ~unit, weights = ~weight, data = panel)
respondents <- svydesign(id = ~respondent, strata = ~unit, weights = ~weight, data = panel)
unweighted <- svydesign(id = ~village, weights = ~1, data = panel)
for (item in c("satisfaction", "waiting", "fees")) {
  by_domain("panel villages", villages, item, "domain", changes)
  by_domain("panel respondents", respondents, item, "domain", changes)
  by_domain("panel unweighted", unweighted, item, "domain", changes)
  by_domain("panel pooled", villages, item, "wave", difference("after", "before"))
}
by_domain("panel villages ratio", villages, "waiting/fees", "domain", changes)
by_domain("panel pooled ratio", villages, "waiting/fees", "wave", difference("after", "before"))
for (name in c("A|after - A|before", "did")) {
  covariance("panel villages", villages, c("satisfaction", "waiting"), "domain", changes[name])
}

# Villages out of more than were drawn, and one village that is a stratum by itself.
panel$population <- c(A = 40, B = 9, C = 6)[panel$unit]
panel$alone <- ifelse(panel$village == "v16", "alone", panel$unit)
panel$population_alone <- c(A = 40, B = 9, C = 6, alone = 3)[panel$alone]
villages_fpc <- svydesign(id = ~village, strata = ~unit, weights = ~weight, fpc = ~population, data = panel)
alone <- svydesign(id = ~village, strata = ~alone, weights = ~weight, data = panel)
alone_fpc <- svydesign(id = ~village, strata = ~alone, weights = ~weight, fpc = ~population_alone, data = panel)
for (item in c("satisfaction", "waiting", "fees")) {
  by_domain("panel villages fpc", villages_fpc, item, "domain", changes)
  for (lonely in c("adjust", "certainty")) {
    options(survey.lonely.psu = lonely)
    by_domain(paste("panel alone", lonely), alone, item, "domain", changes)
    by_domain(paste("panel alone pooled", lonely, "fpc"), alone_fpc, item, "wave", difference("after", "before"))
  }
}

versions <- data.frame(case = "versions", item = "", quantity = c("R", "survey"),
                       value = c(as.character(getRversion()), as.character(packageVersion("survey"))))
found <- do.call(rbind, rows)
found$value <- sprintf("%.17g", found$value)
write.csv(rbind(versions, found), file.path(here, "estimation.csv"), row.names = FALSE)
