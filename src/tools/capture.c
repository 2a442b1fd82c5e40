#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>

#include "tools/capture.h"

bool capture_is(FILE *f)
{
	static const char magic[][5] = { "\xa1\xb2\xc3\xd4", "\xd4\xc3\xb2\xa1", "\xa1\xb2\x3c\x4d",
		"\x4d\x3c\xb2\xa1", "\xa1\xb2\xcd\x34", "\x34\xcd\xb2\xa1", "\x0a\x0d\x0d\x0a" };
	char head[4];
	size_t n = fread(head, 1, sizeof(head), f);
	bool is = false;

	for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++)
		is = is || (n == sizeof(head) && memcmp(head, magic[i], n) == 0);
	/* A pipe cannot go back, but what was just read of it is still in its buffer. */
	clearerr(f);
	while (n > 0 && ungetc((unsigned char)head[n - 1], f) != EOF)
		n--;
	return is && n == 0;
}

/* One packet. SM_OK or -ENOMEM. */
static int take(struct connections *t, int link, const struct pcap_pkthdr *h, const u_char *p,
	struct capture_counts *counts)
{
	struct capture_at at = { .packet = counts->packets,
		.time_ns = (uint64_t)h->ts.tv_sec * 1000000000u + (uint64_t)h->ts.tv_usec };
	struct segment s;
	enum packet kind = packet_read(link, span_of(p, h->caplen), h->len, &s);

	counts->kinds[kind]++;
	if (kind != PACKET_TCP)
		return SM_OK;
	if (s.data.n < s.len)
		counts->cut++;
	return connections_segment(t, &s, &at);
}

static int read_all(pcap_t *p, const struct bpf_program *filter, struct connections *t,
	struct capture_counts *counts, char *fault)
{
	int link = pcap_datalink(p), rc, err = SM_OK;
	struct pcap_pkthdr *h;
	const u_char *octets;

	while (err == SM_OK && (rc = pcap_next_ex(p, &h, &octets)) == 1) {
		counts->packets++;
		if (filter != NULL && pcap_offline_filter(filter, h, octets) == 0)
			counts->filtered++;
		else
			err = take(t, link, h, octets, counts);
	}
	if (err != SM_OK) {
		snprintf(fault, CAPTURE_FAULT, "packet %" PRIu64 ": %s", counts->packets,
			err_text(err));
	} else if (rc != PCAP_ERROR_BREAK) {
		snprintf(fault, CAPTURE_FAULT, "packet %" PRIu64 ": %s", counts->packets + 1,
			pcap_geterr(p));
		err = SM_EFORMAT;
	}
	return err;
}

static int read_opened(pcap_t *p, const char *filter, const struct connection_reader *reader,
	void *arg, struct capture_counts *counts, char *fault)
{
	int link = pcap_datalink(p), err;
	const char *name = pcap_datalink_val_to_name(link);
	struct bpf_program program = { 0 };
	struct connections *t;

	if (!packet_link_known(link)) {
		snprintf(fault, CAPTURE_FAULT, "packet 1: link type %s, %d, is not read",
			name != NULL ? name : "unknown", link);
		return SM_EFORMAT;
	}
	if (filter != NULL && pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		snprintf(fault, CAPTURE_FAULT, "--filter: %s", pcap_geterr(p));
		return SM_EFORMAT;
	}
	t = connections_new(reader, arg);
	if (t == NULL) {
		snprintf(fault, CAPTURE_FAULT, "%s", err_text(-ENOMEM));
		err = -ENOMEM;
	} else {
		err = read_all(p, filter != NULL ? &program : NULL, t, counts, fault);
	}
	connections_free(t);
	pcap_freecode(&program);
	return err;
}

int capture_read(FILE *f, const char *filter, const struct connection_reader *reader, void *arg,
	struct capture_counts *ret_counts, char ret_fault[CAPTURE_FAULT])
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why);
	int err;

	*ret_counts = (struct capture_counts){ 0 };
	ret_fault[0] = '\0';
	if (p == NULL) {
		snprintf(ret_fault, CAPTURE_FAULT, "no capture: %s", why);
		if (f != stdin)
			fclose(f);
		return SM_EFORMAT;
	}
	err = read_opened(p, filter, reader, arg, ret_counts, ret_fault);
	pcap_close(p);
	return err;
}
