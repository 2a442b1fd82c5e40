'use strict';
// An ESME on Node's package `smpp`.
//
// Usage: node_esme.js PORT all|plain RECEIPTS
//
// Binds as a transceiver, sends one PDU of each kind that the package can make (plain: only
// submit_sm and enquire_link), each after the answer to the one before it, and waits for so many
// receipts and messages; unbinds. Prints its account, then "end".

const { smpp, tls_options, told, told_response, told_delivery } = require('./node_peer.js');

const [port, mode, receipts] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const session = smpp.connect({ host: '127.0.0.1', port, ...tls_options('client') });
let arrived = 0;

const from = { source_addr_npi: 1, source_addr: '10086', dest_addr_ton: 1, dest_addr_npi: 1 };
const to = (digit) => ({ ...from, destination_addr: '861380013800' + digit,
	registered_delivery: 1 });
const area = Buffer.from([0]);	// format 0: an alias, empty

session.on('error', (e) => { console.log('error ' + e.message); process.exit(1); });
session.on('pdu', (pdu) => {
	if (pdu.command === 'deliver_sm' || pdu.command === 'data_sm') {
		told_delivery(pdu);
		session.send(pdu.response());
		arrived++;
	} else if (pdu.command === 'enquire_link') {
		session.send(pdu.response());
	} else if (pdu.isResponse()) {
		told_response(pdu);
	}
});

function ask(command, fields)
{
	return new Promise((resolve, reject) => {
		const pdu = new smpp.PDU(command, fields || {});

		setTimeout(() => reject(new Error('no answer to ' + command)), 10000).unref();
		session.send(pdu, resolve);
		if (/^(submit_sm|submit_multi|data_sm)$/.test(command))
			told(command, pdu.sequence_number);
	});
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function every_kind(id)
{
	await ask('query_sm', { message_id: id, source_addr: '10086' });
	await ask('query_sm', { message_id: 'NONE', source_addr: '10086' });
	await ask('submit_sm', { ...to(0), short_message: '短信 \u{1f4e8}', data_coding: 8 });
	await ask('submit_sm', { ...to(0), short_message: 'äöü' });
	await ask('submit_sm', { ...to(1), short_message: 'with TLVs', user_message_reference: 77,
		source_port: 5000,
		destination_port: 5001, payload_type: 0, privacy_indicator: 1,
		language_indicator: 1, sar_msg_ref_num: 9,
		sar_total_segments: 2, sar_segment_seqnum: 1, more_messages_to_send: 1,
		ms_validity: Buffer.from([0]), display_time: 1,
		callback_num: [{ digit_mode: 1, ton: 1, npi: 1, number: '12345' }],
		number_of_messages: 3, alert_on_message_delivery: 1,
		its_session_info: Buffer.from([1, 2]), dest_addr_subunit: 1, source_addr_subunit: 1,
		qos_time_to_live: 600 });
	await ask('submit_sm', { ...to(0), short_message: '',
		message_payload: { message: 'x'.repeat(3000) } });
	for (let part = 1; part <= 3; part++)
		await ask('submit_sm', { ...to(0), esm_class: 0x40,
			short_message: { udh: Buffer.from([5, 0, 3, 0x77, 3, part]),
			message: 'part ' + part } });
	await ask('submit_multi', { source_addr: '10086', registered_delivery: 1,
		short_message: 'many',
		dest_address: [to(0), to(9), to(1), { dl_name: 'friends' }] });
	await ask('data_sm', { ...to(0), message_payload: { message: 'by data_sm' } });
	const changed = (await ask('submit_sm', { ...to(0),
		short_message: 'to be changed' })).message_id;
	await ask('replace_sm', { message_id: changed, source_addr: '10086',
		short_message: 'changed' });
	await ask('cancel_sm', { message_id: changed, source_addr: '10086',
		destination_addr: '8613800138000' });
	await ask('cancel_sm', { message_id: 'NONE', source_addr: '10086',
		destination_addr: '8613800138000' });
	const cast = (await ask('broadcast_sm', { source_addr: '10086',
		message_payload: { message: 'to all' },
		broadcast_area_identifier: [area, area], broadcast_content_type: Buffer.from([1, 0,
		1]), broadcast_rep_num: 2,
		broadcast_frequency_interval: Buffer.from([8, 0, 5]) })).message_id;
	await ask('query_broadcast_sm', { message_id: cast, source_addr: '10086',
		user_message_reference: 1 });
	await ask('cancel_broadcast_sm', { message_id: cast, source_addr: '10086',
		user_message_reference: 1 });
}

async function all()
{
	await ask('bind_transceiver', { system_id: 'acme', password: 'secret',
		interface_version: mode === 'all' ? 0x50 : 0x34 });
	await ask('enquire_link');
	const first = (await ask('submit_sm', { ...to(0), short_message: 'hello' })).message_id;
	for (const digit of [1, 2, 3, 4, 9])
		await ask('submit_sm', { ...to(digit), short_message: 'hello ' + digit });
	if (mode === 'all')
		await every_kind(first);
	for (let i = 0; i < 100 && arrived < receipts; i++)
		await pause(100);
	await pause(300);
	await ask('unbind');
	console.log('end');
	session.close();
}

session.on('connect',
	() => all().catch((e) => { console.log('error ' + e.message); process.exit(1); }));
