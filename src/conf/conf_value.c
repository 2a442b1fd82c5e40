#include "conf/conf_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "conf/conf_addr.h"
#include "conf/conf_prefix.h"
#include "smscope/err.h"

#define ALL_KINDS ((1u << REC_COUNT) - 1)

/* Units of a type, largest first. */
struct unit {
	const char *suffix;
	int64_t factor;
};

static const struct unit octet_units[] = {
	{ "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 }, { "", 1 }, { NULL, 0 }
};
static const struct unit duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }, { NULL, 0 }
};
static const struct unit plain_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *units_of(enum conf_type type)
{
	if (type == CONF_OCTETS)
		return octet_units;
	return type == CONF_DURATION ? duration_units : plain_units;
}

const char *conf_type_words(enum conf_type type)
{
	switch (type) {
	case CONF_COUNT:
		return "a number";
	case CONF_OCTETS:
		return "octets such as 4096 or \"64K\"";
	case CONF_DURATION:
		return "a duration such as \"5s\" or \"500ms\"";
	case CONF_FLAG:
		return "true or false";
	case CONF_LISTEN:
	case CONF_SERVERS:
	case CONF_RESOLVERS:
	case CONF_NAMES:
	case CONF_TEXTS:
	case CONF_ACCOUNTS:
	case CONF_PREFIXES:
	case CONF_KINDS:
	case CONF_SET:
		return "text in double quotes, or a list of such";
	case CONF_CODES:
		return "a number or text in double quotes, or a list of such";
	case CONF_GROUP:
		return "a group: { … }";
	case CONF_LIST:
		return "a list of groups: ( { … }, { … } )";
	default:
		return "text in double quotes";
	}
}

static int refuse_type(const struct conf_key *k, const struct conf_at *at)
{
	conf_error(at->faults, at->file, at->line, "%s must be %s", k->name,
		conf_type_words(k->type));
	return SM_EVALUE;
}

static int short_of_memory(const struct conf_at *at)
{
	conf_error(at->faults, at->file, at->line, "%s", strerror(ENOMEM));
	return SM_EVALUE;
}

void conf_value_amount(const struct conf_key *k, int64_t n, char *to, size_t cap)
{
	const struct unit *u = units_of(k->type);

	while (u[1].suffix != NULL && (n == 0 || n % u->factor != 0))
		u++;
	if (k->type == CONF_DURATION && n == 0)
		u = &duration_units[3];	/* "0s" */
	snprintf(to, cap, "%" PRId64 "%s", n / u->factor, u->suffix);
}

int conf_value_number(const struct conf_key *k, void *section, int64_t n, const struct conf_at *at)
{
	char least[32], most[32];
	uint32_t v = (uint32_t)n;

	if (k->type != CONF_COUNT && k->type != CONF_OCTETS && k->type != CONF_DURATION)
		return refuse_type(k, at);
	if (n < k->min || n > k->max) {
		conf_value_amount(k, k->min, least, sizeof(least));
		conf_value_amount(k, k->max, most, sizeof(most));
		conf_error(at->faults, at->file, at->line, "%s must be %s to %s%s%s", k->name,
			least, most, k->type == CONF_COUNT ? " " : "",
			k->type == CONF_COUNT ? k->unit : "");
		return SM_EVALUE;
	}
	memcpy((char *)section + k->at, &v, sizeof(v));
	return 0;
}

int conf_value_flag(const struct conf_key *k, void *section, bool on, const struct conf_at *at)
{
	if (k->type != CONF_FLAG)
		return refuse_type(k, at);
	memcpy((char *)section + k->at, &on, sizeof(on));
	return 0;
}

/* "64K", "30s": digits and a unit of the type, nothing else. */
static int set_amount(const struct conf_key *k, void *section, const char *text,
	const struct conf_at *at)
{
	const struct unit *u = units_of(k->type);
	int64_t n = 0;
	const char *p = text;

	for (; isdigit((unsigned char)*p) && n < INT32_MAX; p++)
		n = n * 10 + (*p - '0');
	while (u->suffix != NULL && strcmp(u->suffix, p) != 0)
		u++;
	if (p == text || u->suffix == NULL) {
		conf_error(at->faults, at->file, at->line, "%s = \"%s\": must be %s", k->name, text,
			conf_type_words(k->type));
		return SM_EVALUE;
	}
	return conf_value_number(k, section, n * u->factor, at);
}

static void did_you_mean(const struct conf_key *k, const char *text, const struct conf_guess *g,
	const char *choices, const struct conf_at *at)
{
	if (g->nearest != NULL)
		conf_error(at->faults, at->file, at->line,
			"%s has no choice \"%s\"; did you mean \"%s\"?", k->name, text, g->nearest);
	else
		conf_error(at->faults, at->file, at->line, "%s has no choice \"%s\"; there is %s",
			k->name, text, choices);
}

static void add_choice(char *choices, size_t cap, const char *word)
{
	size_t n = strlen(choices);

	snprintf(choices + n, cap - n, "%s%s", n > 0 ? ", " : "", word);
}

static int set_choice(const struct conf_key *k, void *section, const char *text,
	const struct conf_at *at)
{
	struct conf_guess g = conf_guess_of(text);
	char choices[256] = "";

	for (const struct conf_word *w = k->words; w->word != NULL; w++) {
		if (strcmp(w->word, text) == 0) {
			memcpy((char *)section + k->at, &w->value, sizeof(w->value));
			return 0;
		}
		conf_guess_try(&g, w->word);
		add_choice(choices, sizeof(choices), w->word);
	}
	did_you_mean(k, text, &g, choices, at);
	return SM_EVALUE;
}

static int set_protocol(const struct conf_key *k, void *section, const char *text,
	const struct conf_at *at)
{
	const struct proto *p = strcmp(text, "auto") != 0 ? proto_named(text) : NULL;
	struct conf_guess g = conf_guess_of(text);
	char choices[256] = "";

	if (p == NULL && strcmp(text, "auto") != 0) {
		for (const struct proto *const *all = proto_all(); *all != NULL; all++) {
			conf_guess_try(&g, (*all)->name);
			add_choice(choices, sizeof(choices), (*all)->name);
		}
		conf_guess_try(&g, "auto");
		add_choice(choices, sizeof(choices), "auto");
		did_you_mean(k, text, &g, choices, at);
		return SM_EVALUE;
	}
	memcpy((char *)section + k->at, &p, sizeof(p));
	return 0;
}

static int set_kind(const struct conf_key *k, void *section, const char *text,
	const struct conf_at *at)
{
	int kind = record_kind_of(text);
	struct conf_guess g = conf_guess_of(text);
	char choices[512] = "all";
	uint32_t kinds;

	memcpy(&kinds, (char *)section + k->at, sizeof(kinds));
	if (strcmp(text, "all") == 0) {
		kinds = ALL_KINDS;
	} else if (kind >= 0) {
		kinds |= 1u << kind;
	} else {
		for (int i = 0; i < REC_COUNT; i++) {
			conf_guess_try(&g, record_kind_name((enum record_kind)i));
			add_choice(choices, sizeof(choices), record_kind_name((enum record_kind)i));
		}
		did_you_mean(k, text, &g, choices, at);
		return SM_EVALUE;
	}
	memcpy((char *)section + k->at, &kinds, sizeof(kinds));
	return 0;
}

/* One more bit of a set. */
static int set_bit(const struct conf_key *k, void *section, const char *text,
	const struct conf_at *at)
{
	struct conf_guess g = conf_guess_of(text);
	char choices[512] = "";
	uint32_t bits;

	memcpy(&bits, (char *)section + k->at, sizeof(bits));
	for (const struct conf_word *w = k->words; w->word != NULL; w++) {
		if (strcmp(w->word, text) == 0) {
			bits |= 1u << w->value;
			memcpy((char *)section + k->at, &bits, sizeof(bits));
			return 0;
		}
		conf_guess_try(&g, w->word);
		add_choice(choices, sizeof(choices), w->word);
	}
	did_you_mean(k, text, &g, choices, at);
	return SM_EVALUE;
}

static bool name_octets(const char *text)
{
	for (; *text != '\0'; text++)
		if (!isalnum((unsigned char)*text) && strchr("._-", *text) == NULL)
			return false;
	return true;
}

static bool control_octets(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* Checks a text and returns a copy, or NULL after reporting. */
static char *checked_text(const struct conf_key *k, const char *text, int64_t most, bool is_name,
	const struct conf_at *at)
{
	char *copy;

	if (text[0] == '\0' && k->min > 0) {
		conf_error(at->faults, at->file, at->line, "%s is empty", k->name);
		return NULL;
	}
	if ((int64_t)strlen(text) > most) {
		conf_error(at->faults, at->file, at->line, "%s is longer than %" PRId64 " octets",
			k->name, most);
		return NULL;
	}
	if (control_octets(text)) {
		conf_error(at->faults, at->file, at->line, "%s holds a control character", k->name);
		return NULL;
	}
	if (is_name && !name_octets(text)) {
		conf_error(at->faults, at->file, at->line,
			"%s = \"%s\": only letters, digits, '.', '-' and '_'", k->name, text);
		return NULL;
	}
	copy = strdup(text);
	if (copy == NULL)
		short_of_memory(at);
	return copy;
}

static int set_text(const struct conf_key *k, void *section, const char *text,
	const struct conf_at *at)
{
	char *copy = checked_text(k, text, k->max, k->type == CONF_NAME, at);
	char **slot = (char **)(void *)((char *)section + k->at);

	if (copy == NULL)
		return SM_EVALUE;
	free(*slot);
	*slot = copy;
	return 0;
}

/* Arrays of texts of their own; the other arrays hold their items themselves. */
static bool owns_texts(enum conf_type type)
{
	return type == CONF_NAMES || type == CONF_ACCOUNTS || type == CONF_TEXTS ||
		type == CONF_CODES;
}

/** Octets that a text of such a list has at most. */
static int64_t text_max(enum conf_type type)
{
	if (type == CONF_TEXTS)
		return PATH_MAX;
	return type == CONF_ACCOUNTS ? ACCOUNT_NAME_MAX : LINK_NAME_MAX;
}

static size_t item_size(enum conf_type type)
{
	if (type == CONF_PREFIXES)
		return sizeof(struct prefix);
	return owns_texts(type) ? sizeof(char *) : sizeof(struct endpoint);
}

/* Room for one more item: its address, or NULL after reporting. */
static void *next_item(const struct conf_key *k, void *section, size_t size,
	const struct conf_at *at)
{
	int count;

	memcpy(&count, (char *)section + k->count_at, sizeof(count));
	if (count >= k->max) {
		conf_error(at->faults, at->file, at->line, "%s has more than %" PRId64 " items",
			k->name, k->max);
		return NULL;
	}
	return (char *)section + k->at + (size_t)count * size;
}

static int add_item(const struct conf_key *k, void *section, const char *text,
	const struct conf_at *at)
{
	void *item = next_item(k, section, item_size(k->type), at);
	int *count = (int *)(void *)((char *)section + k->count_at);

	if (item == NULL)
		return SM_EVALUE;
	if (owns_texts(k->type)) {
		bool name = k->type == CONF_NAMES;
		char *copy = checked_text(k, text, text_max(k->type), name, at);

		if (copy == NULL)
			return SM_EVALUE;
		memcpy(item, &copy, sizeof(copy));
	} else if (k->type == CONF_PREFIXES ? conf_prefix(k, text, item, at) != 0 :
			conf_endpoint(k, text, item, at) != 0) {
		return SM_EVALUE;
	}
	++*count;
	return 0;
}

int conf_value_text(const struct conf_key *k, void *section, const char *text,
	const struct conf_at *at)
{
	switch (k->type) {
	case CONF_OCTETS:
	case CONF_DURATION:
		return set_amount(k, section, text, at);
	case CONF_TEXT:
	case CONF_NAME:
		return set_text(k, section, text, at);
	case CONF_CHOICE:
		return set_choice(k, section, text, at);
	case CONF_PROTOCOL:
		return set_protocol(k, section, text, at);
	case CONF_LISTEN:
	case CONF_SERVERS:
	case CONF_RESOLVERS:
	case CONF_NAMES:
	case CONF_TEXTS:
	case CONF_ACCOUNTS:
	case CONF_CODES:
	case CONF_PREFIXES:
		return add_item(k, section, text, at);
	case CONF_SOURCE:
		return conf_endpoint(k, text, (void *)((char *)section + k->at), at);
	case CONF_KINDS:
		return set_kind(k, section, text, at);
	case CONF_SET:
		return set_bit(k, section, text, at);
	default:
		return refuse_type(k, at);
	}
}

void conf_value_preset(const struct conf_key *k, void *section, const struct conf_at *at)
{
	if (k->preset == NULL)
		return;
	if (k->type == CONF_COUNT)
		(void)conf_value_number(k, section, strtoll(k->preset, NULL, 10), at);
	else if (k->type == CONF_FLAG)
		(void)conf_value_flag(k, section, strcmp(k->preset, "true") == 0, at);
	else
		(void)conf_value_text(k, section, k->preset, at);
}

void conf_value_clear(const struct conf_key *k, void *section)
{
	char *at = (char *)section + k->at;
	int zero = 0, count = 1;

	if (k->count_at != 0) {
		memcpy(&count, (char *)section + k->count_at, sizeof(count));
		memcpy((char *)section + k->count_at, &zero, sizeof(zero));
	}
	switch (k->type) {
	case CONF_TEXT:
	case CONF_NAME:
	case CONF_NAMES:
	case CONF_TEXTS:
	case CONF_ACCOUNTS:
	case CONF_CODES:
		for (char **text = (char **)(void *)at; count-- > 0; text++) {
			free(*text);
			*text = NULL;
		}
		break;
	case CONF_LISTEN:
	case CONF_SERVERS:
	case CONF_RESOLVERS:
	case CONF_SOURCE:
		for (struct endpoint *e = (struct endpoint *)(void *)at; count-- > 0; e++) {
			free(e->text);
			*e = (struct endpoint){ 0 };
		}
		break;
	case CONF_KINDS:
	case CONF_SET:
		memset(at, 0, sizeof(uint32_t));
		break;
	default:
		break;
	}
}

static void write_text(const char *text, FILE *to)
{
	putc('"', to);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', to);
		putc(*text, to);
	}
	putc('"', to);
}

/* Items of an array: one alone without brackets. */
static void write_items(const struct conf_key *k, const void *section, FILE *to)
{
	const char *at = (const char *)section + k->at;
	int count;

	memcpy(&count, (const char *)section + k->count_at, sizeof(count));
	fputs(count > 1 ? "[ " : "", to);
	for (int i = 0; i < count; i++) {
		const void *item = at + (size_t)i * item_size(k->type);
		char prefix[PREFIX_TEXT];

		fputs(i > 0 ? ", " : "", to);
		if (k->type == CONF_PREFIXES)
			write_text(conf_prefix_text(item, prefix), to);
		else if (owns_texts(k->type))
			write_text(*(char *const *)item, to);
		else
			write_text(((const struct endpoint *)item)->text, to);
	}
	fputs(count > 1 ? " ]" : "", to);
}

static void write_kinds(uint32_t kinds, FILE *to)
{
	const char *comma = "";

	if (kinds == ALL_KINDS) {
		write_text("all", to);
		return;
	}
	fputs("[ ", to);
	for (int i = 0; i < REC_COUNT; i++)
		if ((kinds >> i & 1u) != 0) {
			fputs(comma, to);
			write_text(record_kind_name((enum record_kind)i), to);
			comma = ", ";
		}
	fputs(" ]", to);
}

static void write_set(const struct conf_key *k, uint32_t bits, FILE *to)
{
	const char *comma = "";

	fputs("[ ", to);
	for (const struct conf_word *w = k->words; w->word != NULL; w++)
		if ((bits >> w->value & 1u) != 0) {
			fputs(comma, to);
			write_text(w->word, to);
			comma = ", ";
		}
	fputs(" ]", to);
}

static void write_word(const struct conf_key *k, int value, FILE *to)
{
	const struct conf_word *w = k->words;

	while (w[1].word != NULL && w->value != value)
		w++;
	write_text(w->word, to);
}

bool conf_value_has(const struct conf_key *k, const void *section)
{
	const void *at = (const char *)section + k->at;

	if (k->count_at != 0)
		return *(const int *)(const void *)((const char *)section + k->count_at) > 0;
	switch (k->type) {
	case CONF_TEXT:
	case CONF_NAME:
		return *(char *const *)at != NULL;
	case CONF_SET:
		return *(const uint32_t *)at != 0;
	case CONF_SOURCE:
		return ((const struct endpoint *)at)->text != NULL;
	case CONF_GROUP:
	case CONF_LIST:
		return false;
	default:
		return true;
	}
}

void conf_value_write(const struct conf_key *k, const void *section, FILE *to)
{
	const void *at = (const char *)section + k->at;
	const struct proto *proto;
	char amount[32];

	switch (k->type) {
	case CONF_COUNT:
		fprintf(to, "%" PRIu32, *(const uint32_t *)at);
		break;
	case CONF_OCTETS:
	case CONF_DURATION:
		conf_value_amount(k, *(const uint32_t *)at, amount, sizeof(amount));
		write_text(amount, to);
		break;
	case CONF_FLAG:
		fputs(*(const bool *)at ? "true" : "false", to);
		break;
	case CONF_TEXT:
	case CONF_NAME:
		write_text(*(char *const *)at, to);
		break;
	case CONF_CHOICE:
		write_word(k, *(const int *)at, to);
		break;
	case CONF_PROTOCOL:
		proto = *(const struct proto *const *)at;
		write_text(proto != NULL ? proto->name : "auto", to);
		break;
	case CONF_SOURCE:
		write_text(((const struct endpoint *)at)->text, to);
		break;
	case CONF_KINDS:
		write_kinds(*(const uint32_t *)at, to);
		break;
	case CONF_SET:
		write_set(k, *(const uint32_t *)at, to);
		break;
	default:
		write_items(k, section, to);
		break;
	}
}
