# Reference values for evalkit.planning. From the root of the repository:
#     Rscript tests/reference/planning.R
# Writes planning.csv beside this file: one row a case, `quantity` is what evalkit must find from the arguments.
rows <- list()
put <- function(quantity, value, ...) {
  given <- list(sd = NA, respondents = NA, icc = NA, cluster_correlation = NA, person_correlation = NA, pilots = NA,
                comparisons = NA, power = NA, level = NA, target = NA, population = NA, error = NA, share = NA,
                design_effect = NA)
  given[names(list(...))] <- list(...)
  rows[[length(rows) + 1]] <<- data.frame(quantity, lapply(c(given, value = value), function(x) sprintf("%.17g", x)))
}

# A panel without clusters in one unit is a paired t test; the standard deviation is that of a person's change.
for (n in c(4, 12, 60)) for (power in c(0.8, 0.9)) for (level in c(0.95, 0.99)) {
  spread <- 20 * sqrt(2 * (1 - 0.3))
  found <- power.t.test(n = n, sd = spread, sig.level = 1 - level, power = power, type = "paired", tol = 1e-12)
  put("paired", found$delta, sd = 20, respondents = n, person_correlation = 0.3, pilots = 1, comparisons = 0,
      power = power, level = level)
}
for (target in c(5, 8, 15)) {
  found <- power.t.test(delta = target, sd = 20 * sqrt(2 * (1 - 0.3)), power = 0.8, type = "paired", tol = 1e-12)
  put("respondents", ceiling(found$n), sd = 20, person_correlation = 0.3, pilots = 1, comparisons = 0, power = 0.8,
      level = 0.95, target = target)
}

# Whole units are compared: Teerenstra et al. 2012, with the correlation r of a unit's means before and after; the
# change has variance 2 * (1 - r) times that of a mean.
unit_sd <- function(sd, n, icc, cluster, person) {
  deff <- 1 + (n - 1) * icc
  r <- n * icc / deff * cluster + (1 - icc) / deff * person
  sqrt(2 * sd^2 * deff / n * (1 - r))
}
for (icc in c(0, 0.05, 0.2)) for (cluster in c(0, 0.7)) for (person in c(0, 0.5)) {
  spread <- unit_sd(18, 40, icc, cluster, person)
  for (units in c(4, 9)) {
    found <- power.t.test(n = units, sd = spread, power = 0.8, tol = 1e-12)
    put("units", found$delta, sd = 18, respondents = 40, icc = icc, cluster_correlation = cluster,
        person_correlation = person, pilots = units, comparisons = units, power = 0.8, level = 0.95)
  }
  # Unequal arms: the noncentral t itself.
  df <- 2 + 7 - 2
  beyond <- function(ncp) pt(qt(0.975, df), df, ncp = ncp, lower.tail = FALSE) - 0.8
  delta <- uniroot(beyond, c(0, 37), tol = 1e-13)$root
  put("units", delta * spread * sqrt(1 / 2 + 1 / 7), sd = 18, respondents = 40, icc = icc,
      cluster_correlation = cluster, person_correlation = person, pilots = 2, comparisons = 7, power = 0.8,
      level = 0.95)
}
for (target in c(3, 4, 6)) {
  found <- power.t.test(delta = target, sd = unit_sd(18, 40, 0.05, 0.7, 0.5), power = 0.8, tol = 1e-12)
  put("pilots", ceiling(found$n), sd = 18, respondents = 40, icc = 0.05, cluster_correlation = 0.7,
      person_correlation = 0.5, power = 0.8, level = 0.95, target = target)
}

# The sample size at which the interval of a share is as wide as wanted.
for (N in c(50, 500, 2000, 10000, 1e6)) for (e in c(0.03, 0.05)) for (p in c(0.5, 0.8)) for (deff in c(1, 1.95)) {
  wide <- function(n) qnorm(0.975) * sqrt(deff * p * (1 - p) / n * (N - n) / (N - 1)) - e
  put("share", ceiling(uniroot(wide, c(1e-6, N), tol = 1e-10)$root), level = 0.95, population = N, error = e,
      share = p, design_effect = deff)
}

put("R", as.numeric(paste0(R.version$major, ".", substr(R.version$minor, 1, 1))))
write.csv(do.call(rbind, rows), "tests/reference/planning.csv", row.names = FALSE, na = "", quote = FALSE)
