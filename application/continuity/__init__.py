"""What holds when the log is set back: nothing rests on what it lost, what is deleted stays so."""
