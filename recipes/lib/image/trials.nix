# Trials that every image can have which has a kernel image for them; what a trial is, `boot.py` says.
{
  # A shell is the first process.
  rescue = [
    {
      from = "rescue";
      dialogue = [
        {
          expect = "# ";
          say = "echo the first process is $$";
        }
        { expect = "the first process is 1"; }
      ];
    }
  ];
}
