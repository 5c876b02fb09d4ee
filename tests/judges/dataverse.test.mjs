// Judges of the Dataverse sandbox: dynamics-web-api, with tokens by Microsoft's MSAL for Node.
import assert from "node:assert/strict";
import test from "node:test";

import { ConfidentialClientApplication } from "@azure/msal-node";
import { DynamicsWebApi } from "dynamics-web-api";

const { dataverse } = JSON.parse(process.env.BRIDGE_STATE);
const { client_id: clientId, client_secret: clientSecret } = dataverse.writer;

const entra = new ConfidentialClientApplication({
  auth: {
    clientId,
    clientSecret,
    authority: dataverse.authority,
    knownAuthorities: [new URL(dataverse.url).host],
  },
});

const crm = new DynamicsWebApi({
  serverUrl: dataverse.url,
  dataApi: { version: "9.2" },
  onTokenRefresh: async () => {
    const scopes = [`${dataverse.url}/.default`];
    return (await entra.acquireTokenByClientCredential({ scopes })).accessToken;
  },
});

test("the environment knows who asks", async () => {
  const me = await crm.callFunction({ functionName: "WhoAmI" });
  assert.match(me.UserId, /^[0-9a-f-]{36}$/);
});

test("a record is made, read, changed and deleted", async () => {
  const id = await crm.create({ collection: "accounts", data: { name: "Judge" } });
  const read = await crm.retrieve({ collection: "accounts", key: id, select: ["name"] });
  assert.equal(read.name, "Judge");
  const changed = await crm.update({
    collection: "accounts", key: id, data: { name: "Jury" },
    returnRepresentation: true, select: ["name"], ifmatch: read["@odata.etag"],
  });
  assert.equal(changed.name, "Jury");
  const stale = { collection: "accounts", key: id, ifmatch: read["@odata.etag"] };
  assert.equal(await crm.deleteRecord(stale), false); // how it tells of a 412
  await crm.deleteRecord({ collection: "accounts", key: id });
  await assert.rejects(crm.retrieve({ collection: "accounts", key: id }), { status: 404 });
});

test("pages are followed to the end", async () => {
  const ids = [];
  for (const n of [1, 2, 3]) {
    ids.push(await crm.create({ collection: "accounts", data: { name: `page ${n}` } }));
  }
  const all = await crm.retrieveAll({
    collection: "accounts", select: ["name"], filter: "startswith(name,'page')", maxPageSize: 2,
  });
  assert.equal(all.value.length, 3);
  const fetched = await crm.fetchAll({
    collection: "accounts", includeAnnotations: "*",
    fetchXml: `<fetch count="2"><entity name="account"><attribute name="name"/><filter>
      <condition attribute="name" operator="begins-with" value="page"/></filter></entity></fetch>`,
  });
  assert.equal(fetched.value.length, 3);
  for (const key of ids) await crm.deleteRecord({ collection: "accounts", key });
});

test("a batch with a change set is one transaction", async () => {
  crm.startBatch();
  crm.create({ collection: "accounts", data: { name: "first" }, contentId: "1" });
  crm.create({ collection: "contacts", data: {
    lastname: "judge", "parentcustomerid_account@odata.bind": "$1",
  } });
  const [account, contact] = await crm.executeBatch();
  const expand = [{ property: "parentcustomerid_account", select: ["name"] }];
  const read = await crm.retrieve({ collection: "contacts", key: contact, select: ["lastname"], expand });
  assert.equal(read.parentcustomerid_account.name, "first");
  await crm.associateSingleValued({
    collection: "contacts", primaryKey: contact, navigationProperty: "parentcustomerid_account",
    relatedCollection: "accounts", relatedKey: account,
  });
  await crm.deleteRecord({ collection: "contacts", key: contact });
  await crm.deleteRecord({ collection: "accounts", key: account });
});

test("definitions are read by name, with what a type has of its own", async () => {
  const table = await crm.retrieveEntity({ key: "LogicalName='contact'", select: ["EntitySetName"] });
  assert.equal(table.EntitySetName, "contacts");
  const columns = await crm.retrieveAttributes({
    entityKey: "LogicalName='contact'",
    castType: "Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
    select: ["LogicalName"], expand: [{ property: "OptionSet", select: ["Options"] }],
  });
  const gender = columns.value.find((column) => column.LogicalName === "gendercode");
  assert.deepEqual(gender.OptionSet.Options.map((option) => option.Value), [1, 2]);
});

test("changes are tracked", async () => {
  const first = await crm.retrieveMultiple({ collection: "accounts", select: ["name"], trackChanges: true });
  assert.match(first["@odata.deltaLink"], /deltatoken=/);
});
