# Reference values for evalkit.reliability, from base R: cov, cor, optim, jackknife. From the root:
#     Rscript tests/reference/reliability.R
# Reads ../shared/data/packages/psychTools_bfi.csv for the personality items; writes reliability.csv and attitude.csv.
here <- "tests/reference"
rows <- list()
put <- function(case, values) {
  rows[[length(rows) + 1]] <<- data.frame(case, quantity = names(values), value = unname(values))
}

# One factor by unweighted least squares on the correlations off the diagonal (psych's "minres"), by optim.
unique_parts <- function(R) {
  off <- lower.tri(R)
  misfit <- function(l) sum((R - l %*% t(l))[off]^2)
  fit <- optim(rep(.5, ncol(R)), misfit, method = "BFGS", control = list(reltol = 1e-15, maxit = 1e4))
  1 - fit$par^2
}
coefficients <- function(x) {
  S <- cov(x)
  k <- ncol(x)
  rest <- sapply(seq_len(k), function(j) cor(x[, j], rowSums(x[, -j])))
  omega <- if (k > 2) 1 - sum(unique_parts(cor(x)) * diag(S)) / sum(S) else NA
  c(alpha = k / (k - 1) * (1 - sum(diag(S)) / sum(S)), omega = omega, setNames(rest, paste0("rest", seq_len(k))))
}
case <- function(name, x) {
  x <- as.matrix(x[complete.cases(x), ])
  found <- coefficients(x)
  standardised <- coefficients(scale(x))[c("alpha", "omega")]
  # Delete-one jackknife (Efron & Stein 1981), against the linearised standard errors.
  left_out <- sapply(seq_len(min(nrow(x), 400)), function(i) coefficients(x[-i, ]))
  put(name, c(n = nrow(x), found, setNames(standardised, paste0("standardised_", names(standardised)))))
  if (nrow(x) <= 400) {
    n <- nrow(x)
    put(name, setNames(sqrt((n - 1) / n * rowSums((left_out - rowMeans(left_out))^2)), paste0("se_", names(found))))
  }
}

write.csv(attitude, file.path(here, "attitude.csv"), row.names = FALSE)
case("attitude", attitude)
bfi <- read.csv("../shared/data/packages/psychTools_bfi.csv")
scales <- list(
  A = list(paste0("A", 1:5), 1), C = list(paste0("C", 1:5), 4:5), E = list(paste0("E", 1:5), 1:2),
  N = list(paste0("N", 1:5), integer()), O = list(paste0("O", 1:5), c(2, 5))
)
for (name in names(scales)) {
  x <- bfi[, scales[[name]][[1]]]
  for (j in scales[[name]][[2]]) x[, j] <- 7 - x[, j]
  case(paste0("bfi_", name), x)
}
x <- bfi[1:300, paste0("N", 1:5)]
case("bfi_N_300", x)

found <- do.call(rbind, rows)
found$value <- formatC(found$value, digits = 12, format = "g")
versions <- data.frame(case = "versions", quantity = "R", value = paste(R.version$major, R.version$minor, sep = "."))
write.csv(rbind(versions, found), file.path(here, "reliability.csv"), row.names = FALSE)
