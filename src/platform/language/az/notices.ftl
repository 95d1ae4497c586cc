hand-over-title = Dəstəyə ötürün
hand-over-once = Bu, son baxışdır. Ötürüldükdən sonra onu yenidən oxuya bilməyəcəksiniz: yalnız dəstə oxuyacaq.
hand-over-sent = Göndərilir
hand-over-naming = Yalnız şəxsi tanıtmağa əsas olduqda göndərilir
hand-over-naming-hint = Əsas yoxdursa, qalır və zənglə birlikdə silinir.
hand-over-naming-none = Burada heç nə yazılmayıb.
hand-over-basis = Hansı əsasla?
hand-over-basis-hint = Mümkünsə, şəxsdən soruşun. Mətninizdəki ad nə seçsəniz də göndərilir.
hand-over-basis-rule = Əsası seçin.
hand-over-leave = Əsassız: şəxsi tanıdan məlumatlar göndərilməsin
hand-over-leave-rule = Bunu təsdiqləyin və ya əsas seçin. Şəxsi tanıdan məlumatlar və fayllar zənglə birlikdə silinəcək.
hand-over-suspected-part = Şübhə bu zəngdən əvvəl yaranıb
hand-over-suspected = Şübhə nə vaxt yaranıb?
hand-over-suspected-hint = Boş qalarsa: zəngin başlanğıcı. Dəstənin 24 saatı bu andan sayılır.
hand-over-suspected-rule = Bu, zəngdən əvvəlki, otuz gündən köhnə olmayan vaxtdır.
hand-over-do = Ötür
hand-over-help = Göndəriləni oxuyun. Nə isə çatmırsa, zəngə qayıdın. Ötürdükdən sonra sizdə nömrəli qəbz qalır və ona əlavə edə bilərsiniz.
basis-consent = Şəxs razıdır
basis-child = Şəxs uşaqdır və ya ola bilər
basis-vital_interest = Söhbət həyat və sağlamlıqdan gedir
basis-pseudonymous = Əsas yoxdur: heç kimin adı çəkilmir

slips-title = Qəbzlər
slips-what = Ötürdükləriniz və dəstənin cavabı.
slips-none = Hələ heç nə ötürməmisiniz.
slips-help = Qəbz dəstənin hansı mərhələdə olduğunu göstərir, deyilənləri yox. Telefonda onun nömrəsini deyin.
slip-number = Nömrə { $number }
slip-sent = Ötürülüb: { $at }
slip-sent-label = Ötürülüb
slip-suspected = Şübhə yaranıb
slip-acknowledged = Dəstə qəbul edib
slip-added = Sonra əlavə olunub
slip-addenda =
    { $number ->
        [0] heç nə
       *[other] { $number } əlavə
    }
slip-open = Aç
slip-no-content = Ötürüləni burada oxumaq olmaz.
slip-addendum = Əlavə edin
slip-addendum-hint = Dərhal dəstəyə göndərilir və onu da yenidən oxumaq olmaz. Ən çoxu 20 000 hərf.
slip-addendum-rule = 1-dən 20 000-ə qədər hərf. Heç nə itmədi.
slip-add = Dəstəyə göndər
slip-decided = Dəstə qərar verib, ona görə əlavə etmək olmaz. Yeni bir şey varsa, yeni zəng başlayın, onu ötürün və bu nömrəni deyin.
notice-state-sent = Dəstə hələ qəbul etməyib.
notice-state-acknowledged = Dəstə qəbul edib.
notice-state-accepted = Dəstə üzərində işləyir.
notice-state-returned = Dəstə geri qaytarıb.
return-code-not_trafficking = Bu, insan alveri deyil.
return-code-too_little_to_act_on = Tədbir görmək üçün məlumat azdır.
return-code-known_already = Artıq məlumdur.
return-code-other_authority = Başqa orqanın işidir.
