'use strict';
// An SMSC on Node's package `smpp`: what smsc.pl is, with the PDUs of 5.0 and alert_notification in
// addition.
//
// Usage: node_smsc.js INBOUND
//
// Listens on 127.0.0.1 at a port of the kernel's choice, printed as "port PORT"; then its account.
// The last digit of a destination chooses its fate: 9 is refused, the others get the receipt of
// that digit. Ends when standard input ends.

const { smpp, tls_options, told, told_response } = require('./node_peer.js');

const inbound = Number(process.argv[2]);
const fate = { 1: ['UNDELIV', '069', 5], 2: ['EXPIRED', '000', 3], 3: ['MB:0064', '000', 5],
	4: ['REJECTD', '013', 8] };
const messages = new Map();
let next_id = 0xa000, inbound_sent = 0;

function deliver(session, command, fields, id, stat)
{
	const pdu = new smpp.PDU(command, { source_addr_ton: 1, source_addr_npi: 1,
		dest_addr_npi: 1, ...fields });

	if (session.send(pdu))
		told(command, pdu.sequence_number, undefined, id, stat);
}

function receipt(session, id, to)
{
	const [stat, err, state] = fate[to.slice(-1)] || ['DELIVRD', '000', 2];
	const m = messages.get(id);
	const text = `id:${id} sub:001 dlvrd:001 submit date:2611211917 done date:2611211917 ` +
		`stat:${stat} err:${err} text:hi`;

	if (m.state !== 1 && !m.many)
		return;
	m.state = state;
	deliver(session, m.data ? 'data_sm' : 'deliver_sm', { source_addr: to,
		destination_addr: '10086', esm_class: 4,
		receipted_message_id: id, message_state: state,
		...(m.data ? { message_payload: { message: text } } : { short_message: text }) },
		id, stat);
}

function on_submit(session, pdu)
{
	const to = pdu.dest_address ? pdu.dest_address.map((d) => d.destination_addr || d.dl_name)
		: [pdu.destination_addr];
	const refused = to.filter((t) => t.endsWith('9'));
	const id = (next_id++).toString(16).toUpperCase();
	const status = refused.length === to.length ? 0x0b : 0;
	const resp = pdu.response({ command_status: status, message_id: id, unsuccess_sme:
		refused.map((t) => ({ dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: t,
		error_status_code: 0x0b })) });

	told(pdu.command, pdu.sequence_number);
	session.send(resp);
	told_response(resp);
	if (status)
		return;
	messages.set(id, { state: 1, data: pdu.command === 'data_sm', many: to.length > 1 });
	if (pdu.registered_delivery)
		for (const t of to.filter((each) => !each.endsWith('9')))
			setTimeout(() => receipt(session, id, t), 200);
	for (; inbound_sent < inbound; inbound_sent++)
		deliver(session, 'deliver_sm', { source_addr: '8613800001234',
		destination_addr: '10086',
			short_message: 'hello ' + inbound_sent });
}

// Status of a request that names a message.
function find(pdu, failure)
{
	const m = messages.get(pdu.message_id);

	if (!m)
		return 0x0c;
	return failure && m.state !== 1 ? failure : 0;
}

function answer(session, pdu, fields)
{
	const resp = pdu.response(fields);

	session.send(resp);
	told_response(resp);
	return resp.command_status === 0;
}

const on = {
	bind: (s, pdu) => {
		answer(s, pdu, { system_id: 'smsc', sc_interface_version: 0x50 });
		if (pdu.interface_version >= 0x50)	// simsp does not know it
			s.send(new smpp.PDU('alert_notification', { source_addr: '8613800138000',
			esme_addr: '10086',
				ms_availability_status: 0 }));
	},
	submit_sm: on_submit,
	submit_multi: on_submit,
	data_sm: on_submit,
	query_sm: (s, pdu) => answer(s, pdu, { command_status: find(pdu),
	message_id: pdu.message_id,
		message_state: (messages.get(pdu.message_id) || {}).state, error_code: 0 }),
	replace_sm: (s, pdu) => answer(s, pdu, { command_status: find(pdu, 0x13) }),
	cancel_sm: (s, pdu) => {
		if (answer(s, pdu, { command_status: find(pdu, 0x11) }))
			messages.get(pdu.message_id).state = 4;
	},
	broadcast_sm: (s, pdu) => answer(s, pdu, { message_id: 'B' + (next_id++).toString(16) }),
	query_broadcast_sm: (s, pdu) => answer(s, pdu, { message_id: pdu.message_id,
	message_state: 1,
		broadcast_area_identifier: [Buffer.from([0])], broadcast_area_success: 100 }),
	cancel_broadcast_sm: (s, pdu) => answer(s, pdu, {}),
	enquire_link: (s, pdu) => s.send(pdu.response()),
	unbind: (s, pdu) => { s.send(pdu.response()); s.close(); },
};

const server = smpp.createServer(tls_options('gateway'), (session) => {
	session.on('error', (e) => console.log('error ' + e.message));
	session.on('pdu', (pdu) => {
		const handler = on[pdu.command.startsWith('bind_') ? 'bind' : pdu.command];

		if (handler)
			handler(session, pdu);
		else if (pdu.isResponse())
			told_response(pdu);
		else
			answer(session, pdu, { command_status: 3 });
	});
});

server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
