# Intervals of shares as survey::svyciprop(method = "logit") gives them, for each unit and wave of panel.csv.
#   Rscript tests/reference/shares.R
library(survey)
here <- "tests/reference"
panel <- read.csv(file.path(here, "panel.csv"))
panel$domain <- paste(panel$unit, panel$wave, sep = "|")
answered <- subset(panel, !is.na(satisfaction))
rows <- list()
for (at_least in 2:5) {
  answered$share <- as.numeric(answered$satisfaction >= at_least)
  villages <- svydesign(id = ~village, strata = ~unit, weights = ~weight, data = answered)
  for (domain in sort(unique(panel$domain))) {
    part <- villages[answered$domain == domain, ]
    share <- svyciprop(~share, part, method = "logit", df = degf(part))
    if (share[1] > 0 && share[1] < 1) {
      found <- c(as.numeric(share), as.numeric(attr(share, "ci")))
      rows[[length(rows) + 1]] <- data.frame(at_least, domain, t(sprintf("%.17g", found)))
    }
  }
}
found <- setNames(do.call(rbind, rows), c("at_least", "domain", "share", "low", "high"))
versions <- data.frame(at_least = "versions", domain = paste("R", getRversion(), "survey", packageVersion("survey")),
                       share = "", low = "", high = "")
write.csv(rbind(versions, found), file.path(here, "shares.csv"), row.names = FALSE)
