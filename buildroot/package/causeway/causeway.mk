################################################################################
#
# causeway
#
################################################################################

CAUSEWAY_VERSION = 0.1.0
CAUSEWAY_SITE = $(BR2_EXTERNAL_CAUSEWAY_PATH)/../target/x86_64-unknown-linux-musl/release
CAUSEWAY_SITE_METHOD = local
CAUSEWAY_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --include causeway --exclude '*'
CAUSEWAY_LICENSE = Apache-2.0 or MIT

define CAUSEWAY_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0555 $(@D)/causeway $(TARGET_DIR)/init
endef

$(eval $(generic-package))
