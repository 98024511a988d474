let count = 0; in 100 / count
