let
  min = 3;
  max = 2;
in assert min > 0 && min < max; min
