roster-title = Növbə cədvəli
roster-what = Növbəti yeddi gündə iş yerində kim var və nə vaxt heç kim yoxdur.
roster-none = Növbəti yeddi gün üçün heç nə planlaşdırılmayıb.
roster-gap = Heç kim
roster-somebody = keçmiş həmkar
roster-help = Cədvəli rəhbəriniz tərtib edir. Gələ bilmirsinizsə, rəhbərinizə deyin.
