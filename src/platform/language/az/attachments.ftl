files-title = Fayllar
files-what = Götürdüyünüz fayl bu maşında surət kimi qalır və onu oradan heç kim geri ala bilməz. Bu, adınızla qeyd olunur.
files-none = Burada fayl yoxdur.
files-take = Faylı götür
files-back = Geri
files-kib = { $number } KB
files-mib = { $number } MB
files-help = Şəkillər kameraların yazdığı məlumatlar olmadan gəlir. Gözləmədiyiniz faylı açmayın.
