// The data of the page, and the charting library, both packed to be small.

const at = id => document.getElementById(id);
const unpacked = id => {
  const packed = Uint8Array.from(atob(at(id).textContent), letter => letter.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")));
};
const all = JSON.parse(await unpacked("figures").text());
new Function(`"use strict"; ${await unpacked("library").text()}`)();  // sets window.vegaEmbed; in a function, its names stay its own
