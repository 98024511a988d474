{ a, b ? a + 1 }: [ a b ]
