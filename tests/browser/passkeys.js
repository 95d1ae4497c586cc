// What a client does with passkeys, in a browser: the reference until the console brings its own.
//
// The service speaks JSON as browsers read and write it (`parseCreationOptionsFromJSON`, `toJSON`), bytes in base64url. A PRF's
// output leaves the page in the body of one request, as a passphrase does, and is kept nowhere.
//
// `himaya.add`     0. 409 `no_way_back`: take a recovery code (`credentials/recovery-code`) and print it, or set up an authenticator
//                  1. begin, with a factor shown anew: `{ passphrase }`, `{ code }`, `{ passkey }` or `{ recovery_code }`
//                  2. `navigator.credentials.create`; confirm, with what the PRF gave if it gave something already
//                  3. where it can give something and did not yet: ask for it once, and have it open the keys (`unlock`)
// `himaya.signIn`  1. ask for a passkey at the door, by the name; whoever has none is asked all the same
//                  2. `navigator.credentials.get`; send the answer alone, or beside the passphrase where the PRF gave nothing
// `himaya.again`   shows a passkey once more in a session: the factor that a change of one's credentials asks for
globalThis.himaya = (() => {
  async function send(path, body, session, more = {}) {
    const headers = { 'content-type': 'application/json', ...more.headers };
    if (session) {
      headers.authorization = `Bearer ${session.access_token}`;
      headers['himaya-session'] = session.session_secret;
    }
    const answer = await fetch(`/api/v1/${path}`, {
      method: more.method ?? 'POST', headers, body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  }

  // The service takes the parts that it checks, and no others.
  function asserted(ceremony, credential) {
    const { rawId, response } = credential.toJSON();
    const { prf } = credential.getClientExtensionResults();
    return {
      ceremony,
      credential_id: rawId,
      authenticator_data: response.authenticatorData,
      client_data_json: response.clientDataJSON,
      signature: response.signature,
      ...(response.userHandle && { user_handle: response.userHandle }),
      ...output(prf),
    };
  }

  // `toJSON` leaves out what the PRF gave, so that nobody sends it on unawares: it is taken from the results themselves.
  function output(prf) {
    if (!prf?.results?.first) return {};
    const bytes = String.fromCharCode(...new Uint8Array(prf.results.first));
    return { prf: btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '') };
  }

  async function answer({ ceremony, options }) {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return asserted(ceremony, await navigator.credentials.get({ publicKey }));
  }

  async function again(session) {
    const asked = await send('credentials/passkeys/ask', undefined, session);
    return asked.status === 201 ? answer(asked.body) : Promise.reject(new Error(JSON.stringify(asked)));
  }

  async function add(session, fresh, label) {
    const begun = await send('credentials/passkeys', fresh, session);
    if (begun.status !== 201) return begun;
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.body.options);
    const credential = await navigator.credentials.create({ publicKey });
    const { rawId, response } = credential.toJSON();
    const { prf } = credential.getClientExtensionResults();
    const made = await send('credentials/passkeys/confirm', {
      ceremony: begun.body.ceremony,
      label,
      credential_id: rawId,
      attestation_object: response.attestationObject,
      client_data_json: response.clientDataJSON,
      transports: response.transports,
      ...output(prf),
    }, session);
    if (made.status !== 200 || made.body.opens_keys || !prf?.enabled) return made;
    return send('credentials/passkeys/unlock', await again(session), session);
  }

  async function signIn(handle, beside = {}) {
    const asked = await send('sessions/passkey', { handle });
    if (asked.status !== 201) return asked;
    return send('sessions', { handle, ...beside, passkey: await answer(asked.body) });
  }

  return { send, again, add, signIn };
})();
