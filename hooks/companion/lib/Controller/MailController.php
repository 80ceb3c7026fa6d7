<?php

declare(strict_types=1);

// SPDX-License-Identifier: AGPL-3.0-or-later

namespace OCA\ParapheurCompanion\Controller;

use OCA\ParapheurCompanion\AppInfo\Application;
use OCP\App\IAppManager;
use OCP\AppFramework\Http;
use OCP\AppFramework\Http\Attribute\ApiRoute;
use OCP\AppFramework\Http\Attribute\ExAppRequired;
use OCP\AppFramework\Http\Attribute\NoCSRFRequired;
use OCP\AppFramework\Http\DataResponse;
use OCP\AppFramework\OCSController;
use OCP\IRequest;
use OCP\Mail\Headers\AutoSubmitted;
use OCP\Mail\IEmailValidator;
use OCP\Mail\IMailer;
use OCP\Mail\IMessage;
use Psr\Log\LoggerInterface;

/** Called by Parapheur alone: the host has checked the app's secret, here its id is checked. */
class MailController extends OCSController {
	private const EX_APP_ID = 'parapheur';

	public function __construct(
		IRequest $request,
		private IMailer $mailer,
		private IEmailValidator $addresses,
		private IAppManager $apps,
		private LoggerInterface $logger,
	) {
		parent::__construct(Application::APP_ID, $request);
	}

	#[ExAppRequired]
	#[NoCSRFRequired]
	#[ApiRoute(verb: 'GET', url: '/status')]
	public function status(): DataResponse {
		return $this->isParapheur() ? $this->answer([]) : $this->refusal();
	}

	/** Outcome: accepted, refused (never try again) or later (the mail server did not take it). */
	#[ExAppRequired]
	#[NoCSRFRequired]
	#[ApiRoute(verb: 'POST', url: '/mail')]
	public function mail(
		string $to,
		string $subject,
		string $text,
		string $html,
		string $message_id,
		string $to_name = '',
		string $language = '',
	): DataResponse {
		if (!$this->isParapheur()) {
			return $this->refusal();
		}
		if (!$this->addresses->isValid($to)) {
			return $this->answer(['outcome' => 'refused', 'reason' => 'bad-address']);
		}
		$message = $this->mailer->createMessage();
		$message->setTo($to_name === '' ? [$to] : [$to => $to_name]);
		$message->setSubject($subject);
		$message->setPlainBody($text);
		$message->setHtmlBody($html);
		$message->setAutoSubmitted(AutoSubmitted::VALUE_AUTO_GENERATED);
		$this->addHeaders($message, $message_id, $language);
		try {
			$failed = $this->mailer->send($message);
		} catch (\Exception $e) {
			$this->logger->warning('A mail of Parapheur was not sent: ' . get_class($e), ['app' => Application::APP_ID]);
			return $this->answer(['outcome' => 'later', 'reason' => 'mail-later']);
		}
		return $this->answer($failed === [] ? ['outcome' => 'accepted'] : ['outcome' => 'later', 'reason' => 'mail-later']);
	}

	/** Where the host's message lets us: a stable Message-ID makes a mail handed over twice recognisable. */
	private function addHeaders(IMessage $message, string $messageId, string $language): void {
		if (!method_exists($message, 'getSymfonyEmail')) {
			return;
		}
		$headers = $message->getSymfonyEmail()->getHeaders();
		if (preg_match('/^<([A-Za-z0-9._:-]+@[A-Za-z0-9.-]+)>$/D', $messageId, $parts) === 1) {
			$headers->addIdHeader('Message-ID', $parts[1]);
		}
		if (preg_match('/^[A-Za-z-]{2,12}$/D', $language) === 1) {
			$headers->addTextHeader('Content-Language', $language);
		}
		$headers->addTextHeader('X-Auto-Response-Suppress', 'All');
	}

	private function isParapheur(): bool {
		return $this->request->getHeader('EX-APP-ID') === self::EX_APP_ID;
	}

	/** @param array<string, string> $more */
	private function answer(array $more): DataResponse {
		return new DataResponse(['version' => $this->apps->getAppVersion(Application::APP_ID), ...$more]);
	}

	private function refusal(): DataResponse {
		return new DataResponse([], Http::STATUS_FORBIDDEN);
	}
}
