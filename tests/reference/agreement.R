# Reference values for evalkit.agreement. From the root of the repository (packages: vcd):
#     Rscript tests/reference/agreement.R
# Writes agreement_codes.csv (what was coded) and agreement.csv beside this file. Alpha is 1 - D_o / D_e by its
# definition, pair of codes by pair of codes (Krippendorff 2011, sections D and E), not by tables of coincidences.
# Cohen's kappa and its standard error are those of vcd::Kappa, Fleiss' kappa the formula of his paper of 1971.
# Standard errors of alpha and Fleiss' kappa are those of the delete-one jackknife over things (Efron & Stein 1981).
suppressMessages(library(vcd))
set.seed(20191218)
cases <- list(
  published = rbind( # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", example C: alpha .743
    c(1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA),
    c(1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, 3),
    c(NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NA),
    c(1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA)
  )
)
draw <- function(coders, things, values, same, missing) {
  first <- sample(values, things, TRUE)
  codes <- t(sapply(seq_len(coders), function(coder) {
    ifelse(runif(things) < same, first, sample(values, things, TRUE))
  }))
  codes[runif(length(codes)) < missing] <- NA
  codes
}
cases$two <- draw(2, 21, 6, 0.8, 0)
cases$two_missing <- draw(2, 21, 4, 0.6, 0.15)
cases$three <- draw(3, 21, 6, 0.75, 0)
cases$many_missing <- draw(5, 40, 3, 0.5, 0.3)
cases$binary <- draw(3, 21, 2, 0.7, 0.1)

alpha <- function(codes, level) {
  used <- codes[, colSums(!is.na(codes)) > 1]
  all <- used[!is.na(used)]
  n <- table(factor(all, sort(unique(all))))
  distance <- function(a, b) {
    if (a == b) return(0)
    if (level == "nominal") return(1)
    between <- as.numeric(names(n)) >= min(a, b) & as.numeric(names(n)) <= max(a, b)
    (sum(n[between]) - (n[[as.character(a)]] + n[[as.character(b)]]) / 2)^2
  }
  mean_distance <- function(found) {
    sum(outer(seq_along(found), seq_along(found), Vectorize(function(i, j) {
      if (i == j) 0 else distance(found[i], found[j])
    })))
  }
  observed <- sum(apply(used, 2, function(thing) {
    found <- thing[!is.na(thing)]
    mean_distance(found) / (length(found) - 1)
  })) / length(all)
  1 - observed / (mean_distance(all) / (length(all) * (length(all) - 1)))
}
fleiss <- function(codes) {
  whole <- codes[, colSums(is.na(codes)) == 0]
  counts <- apply(whole, 2, function(thing) tabulate(thing, max(whole)))
  m <- nrow(whole)
  agreed <- mean((colSums(counts^2) - m) / (m * (m - 1)))
  chance <- sum((rowSums(counts) / sum(counts))^2)
  (agreed - chance) / (1 - chance)
}
jackknife <- function(codes, coefficient) {
  without <- sapply(seq_len(ncol(codes)), function(thing) coefficient(codes[, -thing]))
  sqrt((ncol(codes) - 1) / ncol(codes) * sum((without - mean(without))^2))
}
rows <- data.frame(case = "versions", quantity = c("R", "vcd"), value = c(
  as.numeric(paste0(R.version$major, ".", substr(R.version$minor, 1, 1))),
  as.numeric(sub("^(\\d+\\.\\d+).*", "\\1", as.character(packageVersion("vcd"))))
))
put <- function(case, quantity, value) rows[nrow(rows) + 1, ] <<- list(case, quantity, value)
written <- NULL
for (case in names(cases)) {
  codes <- cases[[case]]
  put(case, "alpha_nominal", alpha(codes, "nominal"))
  put(case, "alpha_ordinal", alpha(codes, "ordinal"))
  used <- codes[, colSums(!is.na(codes)) > 1]
  put(case, "alpha_nominal_se", jackknife(used, function(some) alpha(some, "nominal")))
  put(case, "alpha_ordinal_se", jackknife(used, function(some) alpha(some, "ordinal")))
  whole <- codes[, colSums(is.na(codes)) == 0]
  if (ncol(whole) > 1) put(case, "fleiss", fleiss(whole))
  if (ncol(whole) > 1) put(case, "fleiss_se", jackknife(whole, fleiss))
  if (nrow(codes) == 2) {
    both <- codes[, colSums(is.na(codes)) == 0]
    values <- sort(unique(as.vector(both)))
    kappa <- Kappa(table(factor(both[1, ], values), factor(both[2, ], values)))
    put(case, "cohen", kappa$Unweighted[["value"]])
    put(case, "cohen_se", kappa$Unweighted[["ASE"]])
  }
  written <- rbind(written, data.frame(
    case = case, thing = as.vector(col(codes)), coder = as.vector(row(codes)), code = as.vector(codes)
  ))
}
rows$value <- sprintf("%.17g", rows$value)
write.csv(rows, "tests/reference/agreement.csv", row.names = FALSE, quote = FALSE)
write.csv(written, "tests/reference/agreement_codes.csv", row.names = FALSE, quote = FALSE, na = "")
