"""Signs in as one person of the demo, and again before the session's token runs out."""

import json
import os
import urllib.request

import schemathesis


@schemathesis.auth(refresh_interval=200)
class SignedIn:
    def get(self, case, context):
        who = {"handle": os.environ["HANDLE"], "passphrase": os.environ["PASSPHRASE"]}
        request = urllib.request.Request(
            os.environ["BASE"] + "/api/v1/sessions",
            data=json.dumps(who).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def set(self, case, session, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = "Bearer " + session["access_token"]
        case.headers["Himaya-Session"] = session["session_secret"]
