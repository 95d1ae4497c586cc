access-list-title = Sizin haqqınızdakı məlumata kimlər baxıb
access-list-by = Bu siyahını müstəqil nəzarət idarəsi hazırlayıb. Bu idarə insanlar haqqındakı məlumata kimlərin baxdığını yoxlayır. Sizin işinizlə özü məşğul olmur.
access-list-made = Hazırlanıb: { $day }
access-list-span = Əhatə etdiyi dövr: { $from } – { $until }
access-list-span-all = Əhatə etdiyi dövr: ən əvvəldən { $until } tarixinə qədər
access-list-keep = Bu kağızı heç kimin tapa bilməyəcəyi yerdə saxlayın.
access-list-keep-why = Onu tapan adam bilər ki, bizdə sizin haqqınızda məlumat var və sizinlə kimlər işləyir. Kağızı özünüzlə aparmağa məcbur deyilsiniz: onu burada oxuyub burada qoya bilərsiniz.
access-list-intro = Hər sətirdə yazılıb: bu hansı gün olub, kim baxıb, nə üçün baxıb və sizin haqqınızdakı məlumatla nə edib. Eyni təşkilatda eyni vəzifədə çalışanların bir gündə eyni səbəblə etdikləri bir sətirdə göstərilir.
access-list-no-names = Burada adlar yazılmır. Hansısa sətir sizi narahat edirsə, idarə bunu kimin etdiyini öyrənə və buna icazəsi olub-olmadığını yoxlaya bilər.
access-list-nothing = Bu dövrdə sizin haqqınızdakı məlumata heç kim baxmayıb və baxmağa cəhd etməyib.
access-list-day = Gün
access-list-who = Kim
access-list-why = Nə üçün
access-list-what = Nə edib
access-list-unknown-organisation = Adı təsdiqlənə bilməyən təşkilat
access-list-ask-title = Sizə nəsə düzgün görünmürsə
access-list-ask = Bu kağızı sizə verən idarəyə deyin. Soruşa bilərsiniz: bunu kim edib, nə üçün edib, buna icazəsi olubmu. Etiraz edə bilərsiniz. Etibar etdiyiniz adam sizin yerinizə soruşa bilər. Soruşduğunuza görə sizə göstərilən kömək azalmayacaq.
access-list-itself = Bu siyahının sizin üçün hazırlandığı da qeyd olunub.
access-list-gaps-title = Bu siyahıda nə çatışmır
access-list-page = Səhifə { $page } / { $pages }

access-list-gap-altered =
    { $entries ->
        [one] Jurnalımızda bir qeyd dəyişdirilib və ya silinib. Onun sizə aid olub-olmadığını artıq heç kim deyə bilməz.
       *[other] Jurnalımızda { $entries } qeyd dəyişdirilib və ya silinib. Onların sizə aid olub-olmadığını artıq heç kim deyə bilməz.
    }
access-list-gap-unreadable =
    { $entries ->
        [one] Jurnalımızda bir qeydi bu siyahını hazırlayan adam oxuya bilmir. O qeyd sizə aid ola bilər. İdarədə başqa birinin onu oxuya bilib-bilmədiyini soruşun.
       *[other] Jurnalımızda { $entries } qeydi bu siyahını hazırlayan adam oxuya bilmir. Onlar sizə aid ola bilər. İdarədə başqa birinin onları oxuya bilib-bilmədiyini soruşun.
    }
access-list-gap-old = Jurnalımız baş verənləri bir neçə il saxlayır. Daha əvvəl olanlar bu siyahıda yoxdur.
access-list-gap-erased = Sizin haqqınızdakı məlumat silinib. Ona görə ora nələrin daxil olduğunu artıq tam bilmirik və bəzi sətirlər çatışmaya bilər.
access-list-gap-lost = Sizin haqqınızdakı məlumatın bir hissəsi öz yerində deyildi. Ona görə bəzi sətirlər çatışmaya bilər.
access-list-gap-behind = Jurnalımıza hazırda son qeydlər hələ yazılmayıb. Ən son edilənlər çatışmaya bilər. Bir neçə gündən sonra yeni siyahı istəyin.
access-list-gap-today = Siyahı hazırlananda onun son günü hələ bitməmişdi. Həmin gün sonra edilənlər burada yoxdur.

role-helpline_operator = qaynar xəttə gələn zənglərə cavab verən əməkdaş
role-helpline_supervisor = qaynar xəttin rəhbəri
role-duty_officer = növbətçi polis əməkdaşı
role-squad_officer = işinizlə məşğul olan polis əməkdaşı
role-squad_supervisor = polis əməkdaşlarının rəhbəri
role-shelter_worker = sığınacağın işçisi
role-shelter_manager = sığınacağın müdiri
role-liaison_officer = əlaqə saxlayan əməkdaş
role-coordinator = milli koordinatorun əməkdaşı
role-statistician = statistika hazırlayan əməkdaş
role-auditor = məlumata kimlərin baxdığını yoxlayan əməkdaş
role-administrator = texniki əməkdaş
role-unadmitted = burada hələ vəzifəsi olmayan adam

purpose-intake = Zənginizi və ya sizin haqqınızda məlumatı qəbul etmək üçün
purpose-case_work = Sizə kömək etmək üçün, işinizlə məşğul olarkən
purpose-care = Sizə qayğı göstərmək üçün
purpose-supervision = Başqalarının işini yoxlamaq üçün
purpose-emergency = Təcili vəziyyətə görə
purpose-recovery = Aça bilmədiyini yenidən aça bilmək üçün
purpose-access_request = Məlumatınıza kimlərin baxdığını sizə demək üçün
purpose-audit = Məlumata kimlərin baxdığını yoxlamaq üçün
purpose-part = Sizinlə bağlı öz işinə görə
purpose-unsaid = Səbəb göstərilməyib

deed-looked =
    { $times ->
        [one] Açıb oxuyub
       *[other] { $times } dəfə açıb oxuyub
    }
deed-listed =
    { $times ->
        [one] Sizin haqqınızda məlumat olduğunu siyahıda görüb
       *[other] Sizin haqqınızda məlumat olduğunu siyahıda { $times } dəfə görüb
    }
deed-changed =
    { $times ->
        [one] Nəsə yazıb və ya dəyişib
       *[other] { $times } dəfə nəsə yazıb və ya dəyişib
    }
deed-admitted =
    { $times ->
        [one] Məlumatı kimin aça biləcəyinə qərar verib
       *[other] Məlumatı kimin aça biləcəyinə { $times } dəfə qərar verib
    }
deed-custody =
    { $times ->
        [one] Təcili halda açılmasını istəyib və ya buna qərar verib
       *[other] Təcili halda açılmasını { $times } dəfə istəyib və ya buna qərar verib
    }
deed-audited = Məlumata kimlərin baxdığını yoxlayıb
deed-refused =
    { $times ->
        [one] Cəhd edib, icazə verilməyib: heç nə görməyib
       *[other] { $times } dəfə cəhd edib, icazə verilməyib: heç nə görməyib
    }
