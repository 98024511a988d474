{ name }: name + 1
