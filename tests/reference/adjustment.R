# Reference values for evalkit.effects: p-values adjusted by R's own p.adjust. From the root of the repository:
#     Rscript tests/reference/adjustment.R
# Writes adjustment.csv beside it.
p <- c(0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216)
found <- data.frame(p, holm = p.adjust(p, "holm"), bh = p.adjust(p, "BH"))
found[] <- lapply(found, sprintf, fmt = "%.17g")
write.csv(found, "tests/reference/adjustment.csv", row.names = FALSE, quote = FALSE)
