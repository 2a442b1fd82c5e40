#include "smscope/pdu.h"

/* One line for each: every loop over the protocols is over these. */
static const struct proto *const protocols[] = { &proto_cmpp, &proto_smpp, NULL };

const struct proto *const *proto_all(void)
{
	return protocols;
}

const struct proto *proto_named(const char *name)
{
	for (const struct proto *const *p = protocols; *p != NULL; p++) {
		if (strcmp((*p)->name, name) == 0)
			return *p;
	}
	return NULL;
}

const struct proto *proto_detect(struct span frame)
{
	const struct proto *best = NULL;
	int most = 0;

	for (const struct proto *const *p = protocols; *p != NULL; p++) {
		int fit = (*p)->login_fit(frame);

		if (fit > most) {
			most = fit;
			best = *p;
		}
	}
	return best;
}

const char *proto_foreign(struct span in)
{
	static const struct {
		const char *octets, *name;
		size_t n;
	} signs[] = {
		{ "GET ", "HTTP", 4 }, { "POST", "HTTP", 4 }, { "HEAD", "HTTP", 4 },
		{ "PUT ", "HTTP", 4 },
		{ "OPTI", "HTTP", 4 }, { "DELE", "HTTP", 4 }, { "CONN", "HTTP", 4 },
		{ "TRAC", "HTTP", 4 },
		{ "PATC", "HTTP", 4 }, { "PRI ", "HTTP", 4 }, { "HTTP", "HTTP", 4 },
		{ "\x16\x03", "TLS", 2 }, { "\x15\x03", "TLS", 2 }, /* handshake, alert */
		{ "SSH-", "SSH", 4 }, { "AMQP", "AMQP", 4 },
		{ "PROX", "PROXY protocol", 4 }, { "\r\n\r\n", "PROXY protocol", 4 },
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		if (in.n >= signs[i].n && memcmp(in.p, signs[i].octets, signs[i].n) == 0)
			return signs[i].name;
	}
	return NULL;
}

bool field_secret(enum field f)
{
	return f == F_PASSWORD || f == F_AUTH_SOURCE || f == F_AUTH_ISMG;
}

void proto_scrub(const struct proto *p, uint8_t *frame, size_t len)
{
	struct pdu pdu;

	if (pdu_parse(&pdu, p, p->dialect_default, span_of(frame, len)) != SM_OK) {
		if (len > p->header_len)
			memset(frame + p->header_len, 0, len - p->header_len);
		return;
	}
	for (int i = 0; i < pdu.field_count; i++) {
		const struct pdu_field *f = &pdu.fields[i];

		if (field_secret(f->field))
			memset(frame + f->at, f->shape == SHAPE_CSTR ? '*' : 0, f->text_len);
	}
}

const char *field_name(const struct proto *p, enum field f)
{
	const char *name = (unsigned)f < F_COUNT ? p->field_names[f] : NULL;

	return name != NULL ? name : "?";
}

const struct proto *proto_by_letter(char letter)
{
	for (const struct proto *const *p = proto_all(); *p != NULL; p++) {
		if ((*p)->name[0] == letter)
			return *p;
	}
	return NULL;
}

const char *dialect_name(const struct proto *p, uint8_t dialect)
{
	const struct dialect *d = p->dialects;

	while (d->value != 0 && d->value != dialect)
		d++;
	return d->name;
}
