// What pages do beyond plain forms: leaving at once, keys, the timer, and the call that saves itself. Nothing is kept on the
// machine: what was typed lives in the page and on the server. Words stand in the page, in its language.
'use strict';
(() => {
  const parts = (within, name) => [...within.querySelectorAll('[data-when]')].forEach((part) => { part.hidden = part.dataset.when !== name; });
  const going = new AbortController();
  const send = (form, fields) => fetch(form.getAttribute('action'), {
    signal: going.signal, method: 'POST', body: new URLSearchParams(fields ?? new FormData(form)), headers: { accept: 'application/json' }, redirect: 'error',
  });

  // Quick exit: the screen is empty before anything is asked of anybody, and so is that of each other window.
  let left = false;
  const windows = new BroadcastChannel('himaya');
  windows.addEventListener('message', (event) => {
    left = true;
    document.body.replaceChildren();
    going.abort();
    location.replace(event.data === '/calendar' ? '/calendar' : '/');
  });
  for (const form of document.querySelectorAll('form[action="/sign-out"]')) {
    form.addEventListener('submit', () => windows.postMessage('/'));
  }
  function leave() {
    if (left) return;
    left = true;
    document.body.replaceChildren();
    // An answer that is still to come would bring cookies back.
    going.abort();
    windows.postMessage('/calendar');
    const away = () => location.replace('/calendar');
    setTimeout(away, 1500);
    fetch('/exit', { method: 'POST', body: new URLSearchParams(), keepalive: true, redirect: 'manual' }).then(away, away);
  }
  for (const button of document.querySelectorAll('[data-exit]')) {
    button.addEventListener('click', (event) => { event.preventDefault(); leave(); });
  }

  // Whoever comes back to a page that the browser kept sees it as it is now.
  addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });

  let escaped = -Infinity;
  addEventListener('keydown', (event) => {
    if (event.repeat || event.isComposing) return;
    if (event.key === 'Escape') {
      if (event.timeStamp - escaped < 1000) leave();
      escaped = event.timeStamp;
      return;
    }
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || !/^F\d+$/.test(event.key)) return;
    const button = document.querySelector(`[data-key="${event.key}"]`);
    if (button) { event.preventDefault(); button.click(); }
  });

  for (const timer of document.querySelectorAll('[data-elapsed]')) {
    const since = performance.now() - 1000 * Number(timer.dataset.elapsed);
    const shows = timer.querySelector('[data-shows]');
    const tick = () => {
      const seconds = Math.floor((performance.now() - since) / 1000);
      const two = (number) => String(number).padStart(2, '0');
      const hours = Math.floor(seconds / 3600);
      shows.textContent = `${hours ? `${hours}:` : ''}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    };
    tick();
    setInterval(tick, 1000);
  }

  // A form is sent once. One that would be lost with a dropped line waits until the line is there.
  for (const form of document.forms) {
    if (form.id === 'call' || form.id === 'again') continue;
    let sent = false;
    let there = false;
    addEventListener('pageshow', () => { sent = false; });
    form.addEventListener('submit', (event) => {
      if (sent) { event.preventDefault(); return; }
      if (!form.hasAttribute('data-keep') || there) { sent = true; there = false; return; }
      event.preventDefault();
      const { submitter } = event;
      fetch('/health').then((answer) => {
        if (!answer.ok) throw new Error();
        there = true;
        parts(form, '');
        form.requestSubmit(submitter);
      }).catch(() => parts(form, 'offline'));
    });
  }

  // What was typed is not left by accident; a choice between two texts neither.
  for (const form of document.querySelectorAll('[data-guard]')) {
    // What was put together of two texts stands nowhere else.
    let typed = form.dataset.guard === 'typed';
    form.addEventListener('input', () => { typed = true; });
    form.addEventListener('submit', (event) => { if (!event.defaultPrevented) typed = false; });
    addEventListener('beforeunload', (event) => { if (typed && !left) event.preventDefault(); });
  }

  const call = document.getElementById('call');
  if (!call) return;

  // The call saves itself a moment after something was typed; one save at a time, and the newest words last.
  const again = document.getElementById('again');
  let changed = false;
  let saving = null;
  let stopped = false;
  let leaving = false;
  let waits = 0;
  let failures = 0;
  const standing = (name) => parts(call.querySelector('.standing'), name);
  standing('saved');

  function wrong(fields) {
    for (const error of call.querySelectorAll('[data-error]')) {
      const words = fields[error.dataset.error];
      error.hidden = !words;
      error.textContent = words ?? '';
      for (const field of call.querySelectorAll(`[name="${error.dataset.error}"]`)) {
        if (field.type === 'radio') continue;
        if (words) field.setAttribute('aria-invalid', 'true'); else field.removeAttribute('aria-invalid');
      }
    }
  }

  async function once() {
    clearTimeout(waits);
    changed = false;
    standing('saving');
    let answer;
    let told;
    try {
      answer = await send(call);
      told = await answer.json();
    } catch {
      changed = true;
      failures += 1;
      standing(answer ? 'away' : 'offline');
      later(Math.min(1000 * 2 ** failures, 15000));
      return false;
    }
    failures = 0;
    if (answer.ok) {
      call.elements.etag.value = told.etag;
      wrong({});
      standing(changed ? 'typing' : 'saved');
      return true;
    }
    changed = true;
    if (told.code === 'sign_in') {
      standing('again');
      // Whoever types on does not find their words in the field for a name.
      again.hidden = false;
    } else if (told.code === 'changed_meanwhile') {
      // Saved elsewhere as well: the server's page shows both.
      leaving = true;
      call.submit();
    } else if (told.code === 'another_account') {
      stopped = true;
      standing('other');
    } else if (answer.status === 404 || answer.status === 409) {
      stopped = true;
      standing('gone');
    } else if (answer.status === 422 || answer.status === 413) {
      wrong(told.wrong ?? {});
      standing('wrong');
    } else {
      failures += 1;
      standing('away');
      later(5000);
    }
    return false;
  }

  function save() {
    saving ??= once().finally(() => { saving = null; });
    return saving;
  }

  function later(milliseconds) {
    clearTimeout(waits);
    waits = setTimeout(async () => {
      if (stopped || leaving) return;
      if (saving) await saving;
      if (changed) await save();
    }, milliseconds);
  }

  call.addEventListener('input', () => {
    changed = true;
    if (!stopped) { standing('typing'); later(600); }
  });
  addEventListener('online', () => { if (changed) later(0); });
  addEventListener('beforeunload', (event) => { if (changed && !leaving && !left) event.preventDefault(); });
  addEventListener('pageshow', () => { leaving = false; });

  // A button goes on only when everything is saved, so that nothing is lost on the way.
  call.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (leaving) return;
    const { submitter } = event;
    if (saving) await saving;
    if (!await save() || leaving) return;
    if (submitter?.hasAttribute('data-save')) return;
    leaving = true;
    const then = document.createElement('input');
    then.type = 'hidden';
    then.name = submitter?.name ?? 'do';
    then.value = submitter?.value ?? 'save';
    call.append(then);
    call.submit();
  });

  again.addEventListener('submit', async (event) => {
    event.preventDefault();
    const said = again.querySelector('[data-again-error]');
    try {
      const answer = await send(again);
      const told = await answer.json();
      said.hidden = answer.ok;
      said.textContent = told.words ?? '';
      if (!answer.ok) return;
    } catch {
      standing('offline');
      return;
    }
    again.hidden = true;
    again.reset();
    call.elements.said.focus();
    await save();
  });
})();
