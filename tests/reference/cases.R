# Reference values of tests/test_case_series.py, run as: Rscript tests/reference/cases.R > tests/reference/cases.csv
# Kaplan-Meier medians by survival::survfit, and Laney's p' limits by hand in base R (no package for it at hand).
suppressMessages(library(survival))
i <- 1:200
days <- (i * 7) %% 31 + (i %% 3)
ended <- as.integer(i %% 4 != 0)
fit <- survfit(Surv(days, ended) ~ 1, conf.type = "plain")
found <- summary(fit)$table
out <- data.frame(name = "median", value = unname(found["median"]))
num <- c(88, 90, 79, 95, 91, 84, 97, 80)
den <- c(100, 102, 95, 104, 99, 98, 105, 96)
p <- num / den
centre <- sum(num) / sum(den)
sd <- sqrt(centre * (1 - centre) / den)
z <- (p - centre) / sd
sigma <- mean(abs(diff(z))) / 1.128
out <- rbind(out, data.frame(name = c("sigma_z", "low", "high"),
  value = c(sigma, 100 * (centre - 3 * sd[1] * sigma), min(100, 100 * (centre + 3 * sd[1] * sigma)))))
out$version <- paste("R", getRversion(), "survival", packageVersion("survival"))
write.csv(out, row.names = FALSE, quote = FALSE)
