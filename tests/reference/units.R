# Reference values for evalkit.units, from R's clubSandwich and from R's own functions. From the root of the repository:
#     Rscript tests/reference/units.R
# Reads panel.csv (made up by estimation.R); writes units.csv beside it. Here a village is a unit.
suppressPackageStartupMessages(library(clubSandwich))
here <- "tests/reference"
panel <- read.csv(file.path(here, "panel.csv"))
panel$after <- as.numeric(panel$wave == "after")
panel$pilot <- as.numeric(panel$unit == "A")
panel$did <- panel$after * panel$pilot

rows <- list()
put <- function(case, item, ...) {
  found <- c(...)
  rows[[length(rows) + 1]] <<- data.frame(case, item, quantity = names(found), value = unname(found))
}

# The published figures, as in clubSandwich's vignette: two-way fixed effects, no weights (data of the package, GPL).
data(MortalityRates)
deaths <- subset(MortalityRates, cause == "Motor Vehicle" & !is.na(beertaxa) & !is.na(pop))
vehicle <- lm(mrate ~ 0 + legal + beertaxa + factor(state) + factor(year), deaths)
beer <- coef_test(vehicle, vcov = "CR2", cluster = deaths$state, coefs = "beertaxa")
stopifnot(round(c(beer$beta, beer$SE, beer$df_Satt, beer$p_Satt), 4) == c(-12.1391, 5.0283, 6.3693, 0.0499))

# CR2 and Satterthwaite's df. Villages are unequal, two are seen only before or only after.
regression <- function(case, item, formula, data, name, clusters) {
  data <- data[!is.na(data[[item]]), ]
  model <- lm(reformulate(formula, item), data)
  found <- coef_test(model, vcov = "CR2", cluster = data[[clusters]], coefs = name)
  put(case, item, estimate = found$beta, std_error = found$SE, df = found$df_Satt, p_value = found$p_Satt)
}
for (item in c("satisfaction", "waiting", "fees")) {
  regression("levels after", item, "pilot", panel[panel$after == 1, ], "pilot", "village")
  regression("interaction", item, "after + pilot + did", panel, "did", "village")
  regression("village effects", item, "after + did + village", panel, "did", "village")
  regression("respondent effects", item, "after + did + respondent", panel, "did", "village")
}

# Changes of villages seen twice, their sampling variance, and how far villages move beyond it.
changes <- list()
for (item in c("satisfaction", "waiting")) {
  by <- function(f) tapply(panel[[item]], panel[c("village", "wave")], f, na.rm = TRUE)
  n <- by(function(x, na.rm) sum(!is.na(x)))
  part <- by(var) / n
  means <- by(mean)
  twice <- rowSums(is.na(means)) == 0 & rowSums(is.na(part)) == 0
  change <- (means[, "after"] - means[, "before"])[twice]
  noise <- rowSums(part)[twice] / 4 # as if four times as many had answered, else the estimate is 0
  pilot <- tapply(panel$pilot, panel$village, max)[twice]
  model <- lm(change ~ pilot)
  df <- model$df.residual
  sampling <- sum((1 - hatvalues(model)) * noise) / df
  variance <- c(sd = sigma(model)^2, low = deviance(model) / qchisq(0.975, df),
                high = deviance(model) / qchisq(0.025, df)) - sampling
  put("shocks", item, sqrt(pmax(variance, 0) / 2), df = df)
  put("waves", item, sqrt(pmax(variance, 0) / (1 / 3 + 1 / 2)), df = df)
  test <- t.test(change[pilot == 1], change[pilot == 0], var.equal = TRUE)
  put("unit t", item, std_error = test$stderr, df = test$parameter[["df"]], p_value = test$p.value)
  changes[[item]] <- change
}

# All ways to choose the pilots, each outcome over the root mean square of its differences.
both <- intersect(names(changes$satisfaction), names(changes$waiting))
delta <- cbind(changes$satisfaction[both], changes$waiting[both])
chosen <- which(tapply(panel$pilot, panel$village, max)[both] == 1)
ways <- combn(length(both), length(chosen))
differ <- function(set) abs(colMeans(delta[set, ]) - colMeans(delta[-set, ]))
all_ways <- apply(ways, 2, differ)
scale <- sqrt(rowMeans(all_ways^2))
largest <- apply(all_ways / scale, 2, max)
own <- differ(chosen)
for (outcome in 1:2) {
  put("max t", names(changes)[outcome], assignments = ncol(ways),
      raw = mean(all_ways[outcome, ] >= own[outcome] - 1e-9),
      adjusted = mean(largest >= (own / scale)[outcome] - 1e-9))
}

# The wild cluster bootstrap: all sign patterns of the deviations from the mean, each arm with its own variance.
unequal <- function(change, pilot) {
  arms <- split(change, pilot)
  spread <- sapply(arms, function(arm) mean((arm - mean(arm))^2) / length(arm))
  abs(mean(arms[["1"]]) - mean(arms[["0"]])) / sqrt(sum(spread))
}
wild <- function(change, pilot) {
  apart <- change - mean(change)
  own <- unequal(change, pilot)
  extreme <- 0
  patterns <- 2^length(change)
  for (pattern in seq_len(patterns) - 1) {
    sign <- rep(1, length(change))
    for (unit in seq_along(change)) if (bitwAnd(pattern, bitwShiftL(1, unit - 1)) > 0) sign[unit] <- -1
    if (unequal(sign * apart, pilot) >= own * (1 - 1e-9)) extreme <- extreme + 1
  }
  extreme / patterns
}
for (item in c("satisfaction", "waiting")) {
  change <- changes[[item]]
  pilot <- tapply(panel$pilot, panel$village, max)[names(change)]
  few <- c(which(pilot == 1)[1:3], which(pilot == 0)[1:8])
  put("wild bootstrap", item, p_value = wild(change[few], pilot[few]))
}

versions <- data.frame(case = "versions", item = "", quantity = c("R", "clubSandwich"),
                       value = c(as.character(getRversion()), as.character(packageVersion("clubSandwich"))))
found <- do.call(rbind, rows)
found$value <- sprintf("%.17g", found$value)
write.csv(rbind(versions, found), file.path(here, "units.csv"), row.names = FALSE)
