hand-over-title = Передать отряду
hand-over-once = Это последний просмотр. После передачи вы не сможете прочитать это снова: сможет только отряд.
hand-over-sent = Это передаётся
hand-over-naming = Это передаётся, только если есть основание назвать человека
hand-over-naming-hint = Без основания это остаётся и пропадает вместе со звонком.
hand-over-naming-none = Здесь ничего не записано.
hand-over-basis = На каком основании?
hand-over-basis-hint = Если можно, спросите человека. Имя в вашем тексте передаётся, что бы вы здесь ни выбрали.
hand-over-basis-rule = Выберите основание.
hand-over-leave = Без основания: не передавать то, что называет человека
hand-over-leave-rule = Подтвердите это или выберите основание. То, что называет человека, и файлы пропадут вместе со звонком.
hand-over-suspected-part = Подозрение возникло раньше этого звонка
hand-over-suspected = Когда возникло подозрение?
hand-over-suspected-hint = Если пусто: начало звонка. Отсюда идут 24 часа отряда.
hand-over-suspected-rule = Это время до начала звонка, не более чем за тридцать дней.
hand-over-do = Передать
hand-over-help = Прочитайте, что передаётся. Если чего-то не хватает, вернитесь к звонку. После передачи у вас остаётся квитанция с номером, и к ней можно добавлять.
basis-consent = Человек согласен
basis-child = Это ребёнок или может быть ребёнок
basis-vital_interest = Речь о жизни или здоровье
basis-pseudonymous = Основания нет: никого не называть

slips-title = Квитанции
slips-what = Что вы передали и что ответил отряд.
slips-none = Вы пока ничего не передавали.
slips-help = Квитанция показывает, как далеко продвинулся отряд, и ничего из сказанного. По телефону называйте её номер.
slip-number = Номер { $number }
slip-sent = Передано: { $at }
slip-sent-label = Передано
slip-suspected = Подозрение возникло
slip-acknowledged = Отряд получил
slip-added = Добавлено
slip-addenda =
    { $number ->
        [0] ничего
        [one] { $number } дополнение
        [few] { $number } дополнения
       *[other] { $number } дополнений
    }
slip-open = Открыть
slip-no-content = Переданное здесь прочитать нельзя.
slip-addendum = Добавить
slip-addendum-hint = Сразу уходит отряду, и прочитать это снова тоже нельзя. Не более 20 000 знаков.
slip-addendum-rule = От 1 до 20 000 знаков. Ничего не потеряно.
slip-add = Отправить отряду
slip-decided = Отряд принял решение, добавлять больше нельзя. Если есть новое, начните новый звонок, передайте его и назовите этот номер.
notice-state-sent = Отряд ещё не подтвердил получение.
notice-state-acknowledged = Отряд получил.
notice-state-accepted = Отряд работает над этим.
notice-state-returned = Отряд вернул.
return-code-not_trafficking = Это не торговля людьми.
return-code-too_little_to_act_on = Слишком мало сведений, чтобы действовать.
return-code-known_already = Это уже известно.
return-code-other_authority = Этим занимается другой орган.

desk-title = Дежурство
desk-waiting = Ещё не подтверждены
desk-waiting-hint = Самое срочное первым. F2 подтверждает его, F4 открывает.
desk-none-waiting = Ничто не ждёт подтверждения.
desk-acknowledged = Подтверждены, ждут решения
desk-none-acknowledged = Ничто не ждёт решения.
desk-due = срок: { $at }
desk-acknowledge = Подтвердить
desk-acknowledged-at = Подтверждено: { $at }
desk-open = Открыть
desk-more = Следующие
desk-help = Подтверждение останавливает часы и сообщает отправителю, что сообщение у отряда. Кто его открыл, вносится в книгу.
desk-state-sent = Ещё никто не подтвердил.
desk-state-acknowledged = Сообщение у отряда и ждёт решения.
desk-state-accepted = Сообщение стало частью дела.
desk-state-returned = Сообщение возвращено.
escalation-in_time = Время есть
escalation-half_gone = Половина времени прошла
escalation-three_quarters_gone = Прошли три четверти времени
escalation-overdue = Просрочено
escalation-acknowledged = Подтверждено
notice-title = Сообщение { $number }
notice-help = Прочитайте, затем примите как дело или верните с указанием причины. Отправитель узнает о вашем решении, но ни слова из того, что здесь стоит.
notice-accept = Принять
notice-return = Вернуть
notice-told = Что рассказали
notice-added = Добавлено позже
notice-added-none = Ничего.
notice-files =
    { $number ->
        [one] Приложен { $number } файл.
        [few] Приложены { $number } файла.
       *[other] Приложено файлов: { $number }.
    }
accept-title = Принять сообщение
accept-why = Оно запечатывается заново для участников дела. С дежурного места его больше не открыть.
accept-as = В каком виде?
accept-new = Новое дело
accept-case-rule = Вы не работаете над этим делом. Выберите другое.
accept-officers = Кто ещё работает над новым делом?
accept-officers-hint = Вы сами уже участвуете. Для дела, которое уже есть, никого здесь не выбирайте.
accept-officers-rule = Выбирайте коллег только для нового дела и только тех, кто работает с делами.
accept-do = Принять
accept-help = Выбранные коллеги сразу могут читать всё дело.
return-title = Вернуть сообщение
return-what = Отправитель увидит причину, и ничего больше. Текст переходит к руководителю отправителя; вы его больше не прочитаете.
return-why = Почему?
return-rule = Выберите причину.
return-do = Вернуть
return-help = Если вы знаете, кто за это отвечает, позвоните отправителю: свободный текст назад не передаётся.
