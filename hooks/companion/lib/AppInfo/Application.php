<?php

declare(strict_types=1);

// SPDX-License-Identifier: AGPL-3.0-or-later

namespace OCA\ParapheurCompanion\AppInfo;

use OCA\Files\Event\LoadSidebar;
use OCA\ParapheurCompanion\Listener\LoadPanel;
use OCP\AppFramework\App;
use OCP\AppFramework\Bootstrap\IBootContext;
use OCP\AppFramework\Bootstrap\IBootstrap;
use OCP\AppFramework\Bootstrap\IRegistrationContext;

class Application extends App implements IBootstrap {
	public const APP_ID = 'parapheur_companion';

	public function __construct() {
		parent::__construct(self::APP_ID);
	}

	public function register(IRegistrationContext $context): void {
		$context->registerEventListener(LoadSidebar::class, LoadPanel::class);
	}

	public function boot(IBootContext $context): void {
	}
}
