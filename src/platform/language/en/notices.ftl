hand-over-title = Hand over to the squad
hand-over-once = This is your last look. Once it is handed over, you cannot read it again: only the squad can.
hand-over-sent = This is sent
hand-over-naming = This is sent only on a ground to name the person
hand-over-naming-hint = Without a ground it stays behind and is lost with the call.
hand-over-naming-none = Nothing is written down here.
hand-over-basis = On what ground?
hand-over-basis-hint = Ask the person if you can. A name in your own text is sent whatever you choose here.
hand-over-basis-rule = Choose the ground.
hand-over-leave = Without a ground: leave behind what names the person
hand-over-leave-rule = Confirm this, or choose a ground. What names the person, and files, would be lost with the call.
hand-over-suspected-part = The suspicion is older than this call
hand-over-suspected = When did the suspicion arise?
hand-over-suspected-hint = Left empty: when the call began. The squad’s 24 hours run from here.
hand-over-suspected-rule = This is a time before the call began, by not more than thirty days.
hand-over-do = Hand over
hand-over-help = Read through what is sent. If something is missing, go back to the call. After handing over you keep a slip with a number, and you may add to it.
basis-consent = The person agrees
basis-child = The person is a child, or may be
basis-vital_interest = It is about life or limb
basis-pseudonymous = No ground: name nobody

slips-title = Slips
slips-what = What you handed over, and what the squad said to it.
slips-none = You have handed nothing over yet.
slips-help = A slip shows how far the squad is, and nothing that was said. Say its number on the telephone.
slip-number = Number { $number }
slip-sent = Handed over: { $at }
slip-sent-label = Handed over
slip-suspected = Suspicion arose
slip-acknowledged = The squad has it since
slip-added = Added since
slip-addenda =
    { $number ->
        [0] nothing
        [one] one addendum
       *[other] { $number } addenda
    }
slip-open = Open
slip-no-content = What was handed over cannot be read here.
slip-addendum = Add something
slip-addendum-hint = It is sent to the squad at once and cannot be read again either. At most 20 000 letters.
slip-addendum-rule = Between 1 and 20 000 letters. Nothing of it is lost.
slip-add = Send to the squad
slip-decided = The squad has decided, so nothing can be added. If there is something new, start a new call and hand it over, and name this number.
notice-state-sent = The squad does not have it yet.
notice-state-acknowledged = The squad has it.
notice-state-accepted = The squad works on it.
notice-state-returned = The squad gave it back.
return-code-not_trafficking = It is not about trafficking.
return-code-too_little_to_act_on = There is too little to act on.
return-code-known_already = It is known already.
return-code-other_authority = Another authority is in charge.

desk-title = Desk
desk-waiting = Not acknowledged yet
desk-waiting-hint = The most urgent first. F2 acknowledges it, F4 opens it.
desk-none-waiting = Nothing waits to be acknowledged.
desk-acknowledged = Acknowledged, to be decided
desk-none-acknowledged = Nothing waits for a decision.
desk-due = due { $at }
desk-acknowledge = Acknowledge
desk-acknowledged-at = Acknowledged: { $at }
desk-open = Open
desk-more = Further ones
desk-help = Acknowledging stops the clock and tells the sender that the squad has it. Opening it is entered with your name.
desk-state-sent = Nobody has acknowledged it yet.
desk-state-acknowledged = The squad has it. It waits for a decision.
desk-state-accepted = It is part of a case.
desk-state-returned = It was given back.
escalation-in_time = In time
escalation-half_gone = Half of the time is gone
escalation-three_quarters_gone = Three quarters of the time are gone
escalation-overdue = Overdue
escalation-acknowledged = Acknowledged
notice-title = Notice { $number }
notice-help = Read it, then accept it as a case or give it back with a reason. What you decide is told to the sender, without a word of what stands here.
notice-accept = Accept
notice-return = Give back
notice-told = What was told
notice-added = Added since
notice-added-none = Nothing.
notice-files =
    { $number ->
        [one] One file came with it.
       *[other] { $number } files came with it.
    }
accept-title = Accept the notice
accept-why = It is sealed anew to the people of the case. The desk cannot open it any more.
accept-as = As what?
accept-new = A new case
accept-case-rule = You do not work on this case. Choose another.
accept-officers = Who else works on the new case?
accept-officers-hint = You are on it yourself. For a case that is there already choose nobody here.
accept-officers-rule = Choose colleagues for a new case only, and only who works on cases.
accept-do = Accept
accept-help = Whoever is chosen can read the whole case at once.
return-title = Give the notice back
return-what = The sender sees the reason and nothing else. The text goes to the sender’s supervisor; you cannot read it any more.
return-why = Why?
return-rule = Choose the reason.
return-do = Give back
return-help = If you know who is in charge, telephone the sender: no free text goes back.
