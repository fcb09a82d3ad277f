# Reference values for evalkit.prospects: what the survey of panel.csv was like. From the root of the repository:
#     Rscript tests/reference/prospects.R
# Writes prospects.csv beside this file: one row an item and quantity. The icc is from R's anova of nested means.
panel <- read.csv("tests/reference/panel.csv", stringsAsFactors = TRUE)
# Villages keep their level in both waves; in this item they keep only some of it.
panel$unsteady <- panel$satisfaction + (panel$wave == "after") * (as.integer(substr(panel$village, 2, 3)) %% 3 - 1)
version <- as.numeric(paste0(R.version$major, ".", substr(R.version$minor, 1, 1)))
rows <- data.frame(item = "versions", quantity = "R", value = version)
put <- function(item, quantity, value) rows[nrow(rows) + 1, ] <<- list(item, quantity, value)
harmonic <- function(x) 1 / mean(1 / x)

for (item in c("satisfaction", "waiting", "fees", "unsteady")) {
  answers <- panel[!is.na(panel[[item]]), ]
  answers$y <- answers[[item]]
  answers$cell <- interaction(answers$unit, answers$wave, drop = TRUE)
  sizes <- table(answers$cell)
  put(item, "respondents", harmonic(as.vector(sizes)))
  per_village <- table(answers$cell, answers$village)
  put(item, "clusters", round(harmonic(rowSums(per_village > 0))))

  # Donner 1986 within cells
  squares <- anova(lm(y ~ cell + cell:village, answers))
  between <- squares["cell:village", "Mean Sq"]
  within <- squares["Residuals", "Mean Sq"]
  typical <- (sum(sizes) - sum(rowSums(per_village^2) / sizes)) / squares["cell:village", "Df"]
  icc <- (between - within) / (between + (typical - 1) * within)
  put(item, "icc", icc)
  put(item, "sd", sqrt((between - within) / typical + within))

  # people asked twice
  before <- answers[answers$wave == "before", ]
  after <- answers[answers$wave == "after", ]
  pairs <- merge(before, after, by = c("respondent", "unit", "village"))
  put(item, "overlap", mean(2 * table(pairs$unit) / table(answers$unit)))
  centred <- cbind(resid(lm(y.x ~ village, pairs)), resid(lm(y.y ~ village, pairs)))
  person <- sum(centred[, 1] * centred[, 2]) / sqrt(sum(centred[, 1]^2) * sum(centred[, 2]^2))
  put(item, "person_correlation", person)

  # villages seen twice: the covariance of their means, without what the same people bring into both
  seen <- intersect(before$village, after$village)
  place <- data.frame(unit = answers$unit[match(seen, answers$village)])
  for (wave in c("before", "after")) {
    here <- get(wave)
    place[[wave]] <- sapply(seen, function(v) mean(here$y[here$village == v]))
    place[[paste0("n_", wave)]] <- sapply(seen, function(v) sum(here$village == v))
  }
  place$both <- sapply(seen, function(v) sum(pairs$village == v))
  fit <- lm(cbind(before, after) ~ unit, place)
  same <- person * within * place$both / (place$n_before * place$n_after)
  covariance <- (crossprod(resid(fit))[1, 2] - sum((1 - hatvalues(fit)) * same)) / fit$df.residual
  kept <- 2 * length(seen) / (length(unique(before$village)) + length(unique(after$village)))
  put(item, "cluster_correlation", min(max(covariance / ((between - within) / typical), 0), 1) * kept)

  kish <- tapply(answers$weight, answers$cell, function(w) length(w) * sum(w^2) / sum(w)^2)
  put(item, "weighting_effect", mean(kish))
}
rows$value <- sprintf("%.17g", rows$value)
write.csv(rows, "tests/reference/prospects.csv", row.names = FALSE, quote = FALSE)
