// A file that somebody chooses: its name and its octets, or none of a larger one.
globalThis.pillarboxPick = (largest, told) => {
  const input = Object.assign(document.createElement('input'), { type: 'file' });
  input.onchange = async () => {
    const file = input.files[0];
    if (file) told(file.name, file.size > largest ? undefined : new Uint8Array(await file.arrayBuffer()));
  };
  input.click();
};

// A question to the server behind the page.
globalThis.pillarboxAsk = (method, path, body, told) => {
  fetch(path, { method, body: body || undefined }).then(async (answer) => told(answer.status, await answer.text()), () => told(0, ''));
};
