// Shows messages to AWS's own validator and prints its verdict on each: "ok" or its error.
//
// usage: node sns_validator.js <folder of the package sns-validator> < cases > verdicts
//
// The cases are {"certificates": {"<url>": "<pem>"}, "messages": ["<body>", ...]}. The validator
// fetches certificates over https; here they come from the cases, and nothing is fetched.
"use strict";

const https = require("https");
const { PassThrough } = require("stream");
const Validator = require(process.argv[2]);

const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));

https.get = (url, answered) => {
  const response = new PassThrough();
  const pem = cases.certificates[url];
  response.statusCode = pem === undefined ? 404 : 200;
  process.nextTick(() => {
    answered(response);
    response.end(pem);
  });
  return response;
};

const verdict = (message) =>
  new Promise((told) => {
    new Validator().validate(message, (error) => told(error ? error.message : "ok"));
  });

Promise.all(cases.messages.map(verdict)).then((verdicts) => {
  console.log(JSON.stringify(verdicts));
});
