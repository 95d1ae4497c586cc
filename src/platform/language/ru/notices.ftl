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
