'use strict';
// What the two programs on Node's package `smpp` share. NODE_PATH says where the package is.
//
// An account is a line "pdu COMMAND SEQUENCE STATUS ID STAT" for each PDU that a record tells of,
// "-" where it has no such thing: Rig.pm compares it with the log's.

const fs = require('fs');
const smpp = require('smpp');

const states = { 1: 'ENROUTE', 2: 'DELIVRD', 4: 'DELETED', 7: 'UNKNOWN' };

function told(command, sequence, status, id, stat)
{
	const words = [command, sequence, status, id, stat];

	console.log('pdu ' + words.map((w) => (w === undefined || w === '' ? '-' : w)).join(' '));
}

// Options of TLS, with the certificates of make-certs in the folder $SMPP_TLS; none without it.
function tls_options(name)
{
	const dir = process.env.SMPP_TLS;

	return dir ? { tls: true, servername: 'localhost', minVersion: 'TLSv1.2',
		ca: fs.readFileSync(dir + '/ca.pem'), cert: fs.readFileSync(dir + '/' + name + '.pem'),
		key: fs.readFileSync(dir + '/' + name + '.key'), requestCert: true } : {};
}

// A response, as either end sees it.
function told_response(pdu)
{
	if (/^(enquire_link|unbind)_resp$/.test(pdu.command))
		return;
	if (/^(deliver_sm|data_sm)_resp$/.test(pdu.command) && pdu.command_status === 0 &&
		!pdu.message_id)
		return;
	if (pdu.additional_status_info_text)
		console.log('words ' + pdu.sequence_number + ' ' + pdu.command_status + ' ' +
			pdu.additional_status_info_text.toString());
	told(pdu.command, pdu.sequence_number, pdu.command_status, pdu.message_id,
		pdu.command === 'query_sm_resp' ? states[pdu.message_state] : undefined);
}

function text_of(pdu)
{
	const m = pdu.short_message || {};
	const p = pdu.message_payload || {};
	const text = m.message !== undefined && m.message.length ? m.message : p.message;

	return text === undefined ? '' : text.toString();
}

// deliver_sm or data_sm towards the ESME.
function told_delivery(pdu)
{
	const text = text_of(pdu);
	const stat = /stat:(\S+)/.exec(text);
	const id = /id:(\S+)/.exec(text);

	told(pdu.command, pdu.sequence_number, undefined, stat ? id[1] : undefined, stat ? stat[1]
		: undefined);
}

module.exports = { smpp, told, told_response, told_delivery, text_of, tls_options };
