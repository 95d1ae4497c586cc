demo-title = Try every role
demo-what = Everybody here is invented, and so is everything that is told of them. The names and passphrases are new at each run, and all of it is removed when the demonstration ends. Sign in as somebody, look around, leave by the quick exit, and come back to this page as somebody else.
demo-help = Begin as operator1: start a call, and hand it over. Then sign in as duty1, who finds it at the desk, and accept it. The case is then open to whom you chose, and to nobody else. From its page you ask a house for a place; worker1 and manager1 find the request.
demo-none = No screens yet: this work is done by the API.
