access-list-title = Who looked at information about you
access-list-by = This list was made by the auditors’ office. The office checks who looks at people’s information. It does not work on your case.
access-list-made = Made on { $day }
access-list-span = For the time from { $from } to { $until }
access-list-span-all = For the whole time up to { $until }
access-list-keep = Keep this paper where nobody finds it.
access-list-keep-why = Whoever finds it learns that we have information about you, and who works with you. You do not have to take it with you: you can read it here and leave it.
access-list-intro = Each line says on which day it was, who it was, why, and what was done with the information about you. What people of the same organisation, in the same work and for the same reason, did on one day stands in one line.
access-list-no-names = No names stand here. If a line troubles you, the office can find out who it was and check whether it was allowed.
access-list-nothing = In this time nobody looked at the information about you, and nobody tried to.
access-list-day = Day
access-list-who = Who
access-list-why = Why
access-list-what = What was done
access-list-unknown-organisation = An organisation whose name could not be confirmed
access-list-ask-title = If something does not seem right to you
access-list-ask = Tell the office that gave you this paper. You may ask who it was, why it was done, and whether it was allowed. You may object. Somebody you trust may ask for you. You will not get less help because you ask.
access-list-itself = It was written down, too, that this list was made for you.
access-list-gaps-title = What is missing from this list
access-list-page = Page { $page } of { $pages }

access-list-gap-altered =
    { $entries ->
        [one] One entry in our book was changed or destroyed. Nobody can say any more whether it was about you.
       *[other] { $entries } entries in our book were changed or destroyed. Nobody can say any more whether they were about you.
    }
access-list-gap-unreadable =
    { $entries ->
        [one] One entry in our book cannot be read by the person who made this list. It may be about you. Ask whether somebody else at the office can read it.
       *[other] { $entries } entries in our book cannot be read by the person who made this list. They may be about you. Ask whether somebody else at the office can read them.
    }
access-list-gap-old = Our book keeps what happened for some years. What is older is not in this list.
access-list-gap-erased = The information about you was erased. So we do not know any more everything that belonged to it, and some lines may be missing.
access-list-gap-lost = Some of the information about you was not where it should be. So some lines may be missing.
access-list-gap-behind = Our book is not up to date at the moment. What was done last may be missing. Ask for a new list in a few days.
access-list-gap-today = The last day of this list was not over when the list was made. What was done later that day does not stand here.

role-helpline_operator = somebody who answers the helpline
role-helpline_supervisor = supervisor at the helpline
role-duty_officer = police officer on duty
role-squad_officer = police officer who works on cases
role-squad_supervisor = supervisor of the police officers
role-shelter_worker = worker at the shelter
role-shelter_manager = head of the shelter
role-liaison_officer = contact person
role-coordinator = worker of the national coordinator
role-statistician = worker who makes statistics
role-auditor = auditor, who checks who looks at information
role-administrator = technical worker
role-unadmitted = somebody who had no work here yet

purpose-intake = To take your call, or the report about you
purpose-case_work = To work on your case and help you
purpose-care = To care for you
purpose-supervision = To check the work of others
purpose-emergency = Because of an emergency
purpose-recovery = To restore what somebody could no longer open
purpose-access_request = To tell you who looked at the information about you
purpose-audit = To check who looks at people’s information
purpose-part = Part of their work for you
purpose-unsaid = No reason was given

deed-looked =
    { $times ->
        [one] Opened and read it
       *[other] Opened and read it { $times } times
    }
deed-listed =
    { $times ->
        [one] Saw in a list that there is information about you
       *[other] Saw in a list, { $times } times, that there is information about you
    }
deed-changed =
    { $times ->
        [one] Wrote or changed something
       *[other] Wrote or changed something { $times } times
    }
deed-admitted =
    { $times ->
        [one] Decided who may open it
       *[other] Decided { $times } times who may open it
    }
deed-custody =
    { $times ->
        [one] Asked for it to be opened in an emergency, or decided about that
       *[other] Asked for it to be opened in an emergency, or decided about that, { $times } times
    }
deed-audited = Checked who had looked at it
deed-refused =
    { $times ->
        [one] Tried to, and was refused: saw nothing
       *[other] Tried to { $times } times, and was refused: saw nothing
    }
