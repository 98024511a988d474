{ a, b } = a
