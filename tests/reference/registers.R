# Wilson and Newcombe intervals, and Kaplan-Meier medians with log-log intervals, for the shares and durations of registers.
#   Rscript tests/reference/registers.R
library(survival)
here <- "tests/reference"
wilson <- function(x, n) suppressWarnings(prop.test(x, n, correct = FALSE))$conf.int
rows <- list(data.frame(what = paste("R", getRversion(), "survival", packageVersion("survival")), a = NA, b = NA, c = NA))
add <- function(what, found) rows[[length(rows) + 1]] <<- data.frame(what, a = found[1], b = found[2], c = found[3])
# Newcombe's method 10 from the Wilson limits of both shares.
newcombe <- function(x1, n1, x2, n2) {
  p1 <- x1 / n1; p2 <- x2 / n2; w1 <- wilson(x1, n1); w2 <- wilson(x2, n2); d <- p1 - p2
  c(d, d - sqrt((p1 - w1[1])^2 + (w2[2] - p2)^2), d + sqrt((w1[2] - p1)^2 + (p2 - w2[1])^2))
}
add("wilson 48/80", c(48 / 80, wilson(48, 80)))
add("wilson 56/70", c(56 / 70, wilson(56, 70)))
add("newcombe 56/70 48/80", newcombe(56, 70, 48, 80))
days <- c(2, 3, 3, 5, 8, 9, 12, 15, 15, 20, 21, 30)
done <- c(1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 0)
curve <- survfit(Surv(days, done) ~ 1, conf.type = "log-log")
median <- quantile(curve, 0.5)
add("median", c(median$quantile, median$lower, median$upper))
write.csv(do.call(rbind, rows), file.path(here, "registers.csv"), row.names = FALSE)
