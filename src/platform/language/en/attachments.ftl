files-title = Files
files-what = A file that you take is a copy on this machine, and nobody can take it back from there. It is entered with your name.
files-none = There are no files here.
files-take = Take the file
files-back = Back
files-kib = { $number } KB
files-mib = { $number } MB
files-help = Pictures come without what cameras write into them. Open no file that you did not expect.
