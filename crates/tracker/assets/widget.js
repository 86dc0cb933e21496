// The tracker's widget. In a page of yours:
//
//   <script src="https://tracker.example/widget.js" data-project="PUBLIC_KEY" async></script>
//
// It shows a button in the corner and a dialog behind it. It lives in a shadow root, so your styles do not reach it and its own do
// not reach you; it sets styles through the CSSOM and evaluates nothing, so a strict policy of your page needs only
// `script-src` and `connect-src` for the tracker's origin. Of your page it sends the address, without query and fragment.
(() => {
  'use strict';

  const script = document.currentScript;
  const key = script && script.dataset.project;
  if (!key || document.querySelector('tracker-widget')) return;
  const tracker = new URL(script.src).origin;
  const base = `${tracker}/widget/${encodeURIComponent(key)}`;

  const STYLE = `
    :host { all: initial; position: fixed; inset: auto 20px 20px auto; z-index: 2147483000; color-scheme: light dark;
      --surface: #fff; --ink: #171a21; --soft: #59616f; --line: #c9ced7; --accent: #3446c2; --on: #fff; --bad: #b02318; --good: #14703f;
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif; }
    @media (prefers-color-scheme: dark) {
      :host { --surface: #171a20; --ink: #e7e9ee; --soft: #9ea7b6; --line: #414956; --accent: #9dabff; --on: #11142a; --bad: #ff978c; --good: #74d3a0; } }
    * { box-sizing: border-box; margin: 0; }
    button { font: inherit; font-weight: 600; cursor: pointer; border-radius: 9px; border: 1px solid var(--line); background: var(--surface);
      color: var(--ink); padding: 8px 16px; }
    button.main { background: var(--accent); border-color: var(--accent); color: var(--on); }
    button[disabled] { opacity: .55; cursor: default; }
    button.open { border-radius: 99px; padding: 11px 20px; box-shadow: 0 6px 24px rgb(16 20 32 / .25); }
    :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
    dialog { width: min(440px, calc(100vw - 32px)); max-height: calc(100vh - 32px); overflow: auto; margin: auto; padding: 24px; border: 0;
      border-radius: 14px; background: var(--surface); color: var(--ink); box-shadow: 0 18px 60px rgb(16 20 32 / .35); }
    dialog::backdrop { background: rgb(14 17 26 / .45); }
    h2 { font-size: 19px; line-height: 1.3; letter-spacing: -.01em; }
    p.lead { color: var(--soft); font-size: 14px; margin: 2px 0 16px; }
    label { display: block; font-size: 13.5px; font-weight: 600; margin-bottom: 14px; }
    label small { font-weight: 400; color: var(--soft); font-size: 13px; }
    input, textarea { display: block; width: 100%; margin-top: 5px; padding: 8px 11px; border: 1px solid var(--line); border-radius: 8px; font: inherit;
      font-weight: 400; background: var(--surface); color: var(--ink); }
    textarea { min-height: 96px; resize: vertical; }
    .row { display: flex; gap: 8px; justify-content: flex-end; margin-top: 4px; }
    [role=alert] { color: var(--bad); font-size: 14px; margin-bottom: 12px; }
    [role=alert]:empty { display: none; }
    .thanks { color: var(--good); font-weight: 600; margin: 6px 0 18px; }
  `;

  const WORDS = {
    offline: 'The report could not be sent. Please check your connection and try again.',
    later: 'Too many reports came from here. Please try again in a few minutes.',
    large: 'That is too much text. Please shorten it.',
    refused: 'Reports are not taken here just now.',
    broken: 'Something went wrong on our side. Please try again later.',
  };

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    made.append(...children);
    return made;
  }

  function field(label, name, control, attributes, note) {
    const text = note ? [label, ' ', element('small', {}, note)] : [label];
    return element('label', {}, ...text, element(control, { name, ...attributes }));
  }

  // What the server says in `message` is for people; where it says nothing, the status decides.
  async function words(answer) {
    try {
      const body = await answer.json();
      if (typeof body.message === 'string' && body.message) return body.message;
    } catch { /* not JSON */ }
    if (answer.status === 429) return WORDS.later;
    if (answer.status === 413) return WORDS.large;
    return answer.status < 500 ? WORDS.refused : WORDS.broken;
  }

  const here = () => ({ page_host: location.host, page_path: location.pathname });

  const post = (path, body) => fetch(`${base}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    credentials: 'omit',
    referrerPolicy: 'strict-origin-when-cross-origin',
  });

  function mount(settings) {
    const host = document.createElement('tracker-widget');
    const root = host.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];

    const open = element('button', { class: 'open main', type: 'button', 'aria-haspopup': 'dialog' }, 'Report an issue');
    const alert = element('p', { role: 'alert' });
    const cancel = element('button', { type: 'button' }, 'Cancel');
    const send = element('button', { class: 'main' }, 'Send');
    const form = element('form', { novalidate: '' },
      element('h2', { id: 'title' }, 'Report an issue'),
      element('p', { class: 'lead' }, settings.project ? `It goes to the people behind ${settings.project}.` : ''),
      alert,
      field('What is wrong?', 'title', 'input', { required: '', maxlength: '200', autocomplete: 'off' }),
      field('What did you do, and what happened?', 'description', 'textarea', { maxlength: '10000' }, 'optional'),
      field('Your name', 'name', 'input', { maxlength: '80', autocomplete: 'name' }, 'optional'),
      field('Your e-mail address', 'email', 'input', { type: 'email', maxlength: '254', autocomplete: 'email' }, 'optional, for questions'),
      element('div', { class: 'row' }, cancel, send));
    const done = element('button', { class: 'main', type: 'button' }, 'Close');
    const thanks = element('div', { hidden: '', tabindex: '-1' },
      element('h2', {}, 'Thank you'),
      element('p', { class: 'thanks' }, 'Your report has arrived.'),
      element('div', { class: 'row' }, done));
    const dialog = element('dialog', { 'aria-labelledby': 'title' }, form, thanks);
    root.append(open, dialog);

    const say = (text, control) => {
      alert.textContent = text;
      if (control) control.focus();
    };
    open.addEventListener('click', () => {
      if (!thanks.hidden) { form.reset(); thanks.hidden = true; form.hidden = false; }
      say('');
      dialog.showModal();
      form.elements.title.focus();
    });
    cancel.addEventListener('click', () => dialog.close());
    done.addEventListener('click', () => dialog.close());
    dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener('close', () => open.focus());
    // What is typed here is not for shortcuts of the page.
    for (const kind of ['keydown', 'keyup', 'keypress']) dialog.addEventListener(kind, (event) => event.stopPropagation());

    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const { title, description, name, email } = form.elements;
      if (!title.value.trim()) return say('Please say what is wrong.', title);
      if (!email.checkValidity()) return say('That is no e-mail address.', email);
      send.disabled = true;
      say('');
      try {
        const answer = await post('/issues', {
          title: title.value.trim(), description: description.value.trim(), name: name.value.trim(), email: email.value.trim(), ...here(),
        });
        if (!answer.ok) return say(await words(answer));
        form.hidden = true;
        thanks.hidden = false;
        thanks.focus();
      } catch {
        say(WORDS.offline);
      } finally {
        send.disabled = false;
      }
      return undefined;
    });
    document.body.append(host);
  }

  async function start() {
    try {
      const answer = await fetch(base, { credentials: 'omit' });
      if (!answer.ok) {
        // For whoever puts the widget in; visitors see nothing.
        console.warn(`tracker widget: ${await words(answer)}`);
        return;
      }
      const settings = await answer.json();
      post('/ping', here()).catch(() => {});
      if (settings.visibility === 'everyone') mount(settings);
    } catch {
      console.warn(`tracker widget: ${tracker} cannot be reached`);
    }
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
