let isEven = n: n / 2 * 2 == n; in assert isEven 3; true
