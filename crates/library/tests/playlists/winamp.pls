[playlist]
File1=C:\Music\The Cranberries\No Need to Argue\04 - Zombie.mp3
Title1=The Cranberries - Zombie
Length1=306
File2=http://radio.example/stream
Title2=A Radio
Length2=-1
File10=Björk\Post\01 - Army of Me.mp3
Length10=234
NumberOfEntries=3
Version=2
