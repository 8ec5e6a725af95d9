// A letter that means harm, for whatever shows letters.
import { createServer } from "node:http";

/** Where nobody should ever ask for anything: what was asked for there comes out of a letter. */
export async function elsewhere() {
  const asked = [];
  const server = createServer((request, response) => { asked.push(request.url); response.end(); });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { asked, host: `127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** A letter that tries what letters try; each try asks for something of its own at `host`, or says so in the title. */
export const attack = (host) => `<!doctype html><html><head><title>News</title>
<base href="http://${host}/base/"><meta http-equiv="refresh" content="0;url=http://${host}/refresh">
<link rel="stylesheet" href="http://${host}/link.css"><link rel="preload" as="image" href="http://${host}/preload.png">
<style>@import "http://${host}/import.css"; body { background: url(http://${host}/style.png) }</style></head>
<body onload="top.document.title='onload'" background="http://${host}/body.png">
<script>top.document.title='script'; new Image().src='http://${host}/script.png'</script>
<script src="http://${host}/script.js"></script>
<img src="http://${host}/remote.png"><img src="x" onerror="top.document.title='onerror'; fetch('http://${host}/fetch')">
<img srcset="http://${host}/srcset.png 1x"><p style="background:url(http://${host}/inline.png)">News of today</p>
<svg onload="top.document.title='svg'"><animate onbegin="top.document.title='begin'" attributeName="x" dur="1s"/>
<image href="http://${host}/svg.png"/><script>top.document.title='svg script'</script></svg>
<form id="f" action="http://${host}/form"><input name="p" autofocus onfocus="f.submit()"><button>Go</button></form>
<a id="js" href="javascript:top.document.title='link'">a link</a> <a href="http://${host}/linked">another</a>
<iframe src="http://${host}/frame"></iframe><object data="http://${host}/object"></object>
<video src="http://${host}/video.mp4" poster="http://${host}/poster.png"></video>
<a ping="http://${host}/ping" href="relative">third</a></body></html>`;
