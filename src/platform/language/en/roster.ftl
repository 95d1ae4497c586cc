roster-title = Roster
roster-what = Who is at the desk in the next seven days, and when nobody is.
roster-none = Nothing is planned for the next seven days.
roster-gap = Nobody
roster-somebody = a former colleague
roster-help = Your supervisor makes the roster. If you cannot come, tell your supervisor.
