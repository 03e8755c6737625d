// Asks the default model and shows the answer while it comes.
const $ = id => document.getElementById(id);

const dataUrl = file => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(file);
});

$("ask").addEventListener("submit", async event => {
  event.preventDefault();
  const answer = $("answer");
  answer.textContent = "";
  const content = [{ type: "text", text: $("question").value }];
  if ($("picture").files[0]) content.unshift({ type: "image_url", image_url: { url: await dataUrl($("picture").files[0]) } });
  const response = await fetch("/v1/chat/completions", {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: "default", stream: true, messages: [{ role: "user", content }] }),
  });
  if (!response.ok) {
    answer.textContent = (await response.json()).error.message;
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = "", part; !(part = await reader.read()).done;) {
    const events = (rest + part.value).split("\n\n");
    rest = events.pop();
    for (const line of events) {
      if (line === "data: [DONE]") return;
      answer.textContent += JSON.parse(line.slice(6)).choices[0]?.delta?.content ?? "";
    }
  }
});
