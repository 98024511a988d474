let fib = n: fib (n - 1) + fib (n - 2); in fib 30
