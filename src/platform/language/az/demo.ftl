demo-title = Hər rolu sınayın
demo-what = Buradakı hər kəs uydurulub, onlar barədə deyilənlər də. Adlar və parol ifadələri hər dəfə yenidir, nümayiş bitəndə hamısı silinir. Kiminsə adından daxil olun, baxın, tez çıxışla çıxın və bu səhifəyə başqası kimi qayıdın.
demo-help = operator1 kimi başlayın: zəngi qəbul edin və ötürün. Sonra duty1 kimi daxil olun: məlumat növbədədir, onu qəbul edin. İş yalnız seçdiyiniz adamlara açıqdır, başqa heç kimə. Onun səhifəsindən evdən yer istənilir; sorğunu worker1 və manager1 görür.
demo-none = Hələ ekran yoxdur: bu iş API ilə görülür.
